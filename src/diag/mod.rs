//! Speaking about project text: source, span, diagnostic, rendering, suggestions.
