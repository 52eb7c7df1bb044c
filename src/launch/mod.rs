//! What a machine is started with, as pure values.
