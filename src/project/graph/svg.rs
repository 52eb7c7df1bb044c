//! The picture as SVG 1.1, with nothing but shapes and text, so that every viewer shows it.

use std::fmt::Write as _;

use super::super::model::{Host, Platform, Project};
use super::layout::{
    BAR_HEIGHT, BOX_PADDING, BOX_TITLE, CARD_WIDTH, Card, HEADER, LINE_HEIGHT, Layout, MARGIN, NAME_HEIGHT,
    ServerBox, layout,
};
use super::{LOCAL_NETWORK, address_of, network_of};

/// The colours of networks, told apart by people who see no red or no green too (Okabe and Ito), then darker ones.
const COLOURS: [&str; 14] = [
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#7a6a00", "#003f63", "#8f6300",
    "#005c43", "#7d3d60", "#1f6f99", "#853a00", "#3d3500",
];
/// How far a plug stands out of its card, in pixels.
const PLUG: usize = 8;
const LOCAL_COLOUR: &str = "#7b8794";

const STYLE: &str = "text{font-family:'DejaVu Sans',Verdana,Helvetica,sans-serif;fill:#1f2933}\
.title{font-size:20px;font-weight:bold}.about{font-size:12px;fill:#52606d}\
.server{fill:#f5f7fa;stroke:#cbd2d9}.server-name{font-size:12px;font-weight:bold;fill:#3e4c59}\
.card{fill:#fff;stroke:#9aa5b1}.name{font-size:13px;font-weight:bold}.line{font-size:10.5px}\
.small{font-size:10px;fill:#52606d}.bar{font-size:10.5px;fill:#fff;font-weight:bold}";

/// Draws `project`.
pub fn svg(project: &Project) -> String {
    let hosts: Vec<Host> = project.hosts.iter().collect();
    let layout = layout(project, &hosts);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\">\n\
         <title>{2}</title>\n<style>{STYLE}</style>\n<rect width=\"{0}\" height=\"{1}\" fill=\"#fff\"/>\n",
        layout.width,
        layout.height,
        escaped(&project.name)
    );
    header(&mut out, project, layout.boxes.len());
    for one in &layout.boxes {
        server(&mut out, &layout, one);
    }
    out.push_str("</svg>\n");
    out
}

fn header(out: &mut String, project: &Project, servers: usize) {
    let count =
        |number: usize, one: &str, many: &str| format!("{number} {}", if number == 1 { one } else { many });
    let about = [
        count(project.hosts.len(), "host", "hosts"),
        count(project.switches.len(), "switch", "switches"),
        count(servers, "server", "servers"),
    ];
    text(out, MARGIN, 34, "title", &project.name);
    text(out, MARGIN, HEADER - 12, "about", &about.join(", "));
}

fn server(out: &mut String, layout: &Layout<'_>, one: &ServerBox<'_>) {
    let (x, y) = (one.x, one.y);
    let _infallible = writeln!(
        out,
        "<rect class=\"server\" x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\" rx=\"10\"/>",
        one.width, one.height
    );
    let letters = (one.width - 2 * BOX_PADDING) / 7;
    text(
        out,
        x + BOX_PADDING,
        y + BOX_TITLE - 6,
        "server-name",
        &shortened(one.name, letters),
    );
    // Lines first, so that cards of an upper row lie over those that go to a lower one.
    for card in &one.cards {
        wires(out, layout, one, card);
    }
    for (network, top) in &one.bars {
        let (name, colour) = (&layout.networks[*network], colour_of(layout, *network));
        let (bar_x, bar_y, width) = (x + BOX_PADDING, y + top, one.width - 2 * BOX_PADDING);
        let _infallible = writeln!(
            out,
            "<rect x=\"{bar_x}\" y=\"{bar_y}\" width=\"{width}\" height=\"{BAR_HEIGHT}\" rx=\"8\" fill=\"{colour}\"/>"
        );
        text(out, bar_x + 10, bar_y + 12, "bar", &shortened(name, width / 8));
    }
    for card in &one.cards {
        self::card(out, layout, one, card);
    }
}

/// The lines from each interface of a card up to its bar. Below the first row there are only plugs in the bars' colours:
/// lines behind the upper cards would seem to join one machine to the other.
fn wires(out: &mut String, layout: &Layout<'_>, one: &ServerBox<'_>, card: &Card<'_>) {
    for (place, interface) in card.host.interfaces.iter().enumerate() {
        let name = network_of(interface);
        let bar = one
            .bars
            .iter()
            .find(|(network, _)| layout.networks[*network] == name);
        let Some((network, top)) = bar else { continue };
        let step = CARD_WIDTH / (card.host.interfaces.len() + 1);
        let x = one.x + card.x + step * (place + 1);
        let is_first_row = one.cards.first().is_some_and(|first| first.y == card.y);
        let (start, width) = if is_first_row {
            (one.y + top + BAR_HEIGHT / 2, 2)
        } else {
            (one.y + card.y - PLUG, 5)
        };
        let _infallible = writeln!(
            out,
            "<path d=\"M{x} {start}V{}\" stroke=\"{}\" stroke-width=\"{width}\"/>",
            one.y + card.y + 2,
            colour_of(layout, *network)
        );
    }
}

fn card(out: &mut String, layout: &Layout<'_>, one: &ServerBox<'_>, card: &Card<'_>) {
    let (x, y, host) = (one.x + card.x, one.y + card.y, card.host);
    let _infallible = writeln!(
        out,
        "<g><title>{}</title><rect class=\"card\" x=\"{x}\" y=\"{y}\" width=\"{CARD_WIDTH}\" height=\"{}\" rx=\"6\"/>",
        escaped(&told(host)),
        card.height
    );
    text(out, x + 10, y + 17, "name", &shortened(host.name.as_str(), 16));
    for (row, interface) in host.interfaces.iter().enumerate() {
        let line = y + NAME_HEIGHT + row * LINE_HEIGHT;
        let name = network_of(interface);
        let network = layout.networks.iter().position(|network| *network == name);
        let colour = network.map_or(LOCAL_COLOUR, |network| colour_of(layout, network));
        let _infallible = writeln!(
            out,
            "<circle cx=\"{}\" cy=\"{}\" r=\"4\" fill=\"{colour}\"/>",
            x + 14,
            line + 7
        );
        let shown = format!("{} {}", interface.name, address_of(interface));
        text(out, x + 24, line + 11, "line", &shortened(&shown, 20));
    }
    let line = y + NAME_HEIGHT + host.interfaces.len() * LINE_HEIGHT;
    let about = format!("{}, {}", platform(host.platform.value), host.memory.value);
    text(out, x + 10, line + 11, "small", &shortened(&about, 22));
    out.push_str("</g>\n");
}

/// What a viewer tells of a host when asked.
fn told(host: &Host) -> String {
    format!(
        "{}: {}, {} of memory, from {}",
        host.name,
        platform(host.platform.value),
        host.memory.value,
        host.template.value
    )
}

fn platform(platform: Platform) -> &'static str {
    match platform {
        Platform::Uml => "UML",
        Platform::Xen => "Xen",
        Platform::XenHvm => "Xen HVM",
        Platform::Qemu => "QEMU",
    }
}

fn colour_of(layout: &Layout<'_>, network: usize) -> &'static str {
    if layout.networks[network] == LOCAL_NETWORK {
        return LOCAL_COLOUR;
    }
    COLOURS[network % COLOURS.len()]
}

fn text(out: &mut String, x: usize, y: usize, class: &str, text: &str) {
    let text = escaped(text);
    let _infallible = writeln!(out, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{text}</text>");
}

/// `text` with at most `most` letters.
fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{kept}\u{2026}")
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            letter => out.push(letter),
        }
    }
    out
}
