//! Where everything stands, in pixels.

use super::super::model::{Host, Project};
use super::{Server, network_of, networks, servers};

pub(super) const MARGIN: usize = 24;
pub(super) const HEADER: usize = 64;
pub(super) const CARD_WIDTH: usize = 148;
pub(super) const CARD_GAP: usize = 20;
pub(super) const BOX_PADDING: usize = 16;
pub(super) const BOX_TITLE: usize = 26;
pub(super) const BAR_HEIGHT: usize = 16;
pub(super) const BAR_PITCH: usize = 24;
pub(super) const NAME_HEIGHT: usize = 24;
pub(super) const LINE_HEIGHT: usize = 16;
const BOX_GAP: usize = 20;
/// How far below the last bar the first card begins.
const DROP: usize = 14;
/// How much wider than high the picture should be, in tenths.
const ASPECT_TENTHS: usize = 15;

/// A host's card.
pub(super) struct Card<'p> {
    pub(super) host: &'p Host,
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) height: usize,
}

/// A server's box.
pub(super) struct ServerBox<'p> {
    pub(super) name: &'p str,
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) width: usize,
    pub(super) height: usize,
    /// The networks that have a bar, as places in [`Layout::networks`], with the bar's top.
    pub(super) bars: Vec<(usize, usize)>,
    pub(super) cards: Vec<Card<'p>>,
}

/// The whole picture.
pub(super) struct Layout<'p> {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) networks: Vec<String>,
    pub(super) boxes: Vec<ServerBox<'p>>,
}

pub(super) fn layout<'p>(project: &Project, hosts: &'p [Host]) -> Layout<'p> {
    let networks = networks(project, hosts);
    let servers = servers(hosts);
    let most = servers.iter().map(|server| server.hosts.len()).max().unwrap_or(0);
    // Cards are about twice as wide as high: so many columns give one box the wanted shape.
    let columns = if servers.len() == 1 {
        root(most.saturating_mul(8) / 10).max(most.min(3))
    } else {
        root(most).max(1)
    };
    let mut boxes: Vec<ServerBox<'_>> = servers
        .iter()
        .map(|server| server_box(server, &networks, columns.min(server.hosts.len()).max(1)))
        .collect();
    let (width, height) = place_boxes(&mut boxes);
    Layout {
        width: (width + 2 * MARGIN).max(480),
        height: height + HEADER + MARGIN,
        networks,
        boxes,
    }
}

/// The whole number nearest below the square root.
fn root(number: usize) -> usize {
    (0..=number)
        .take_while(|root| root * root <= number)
        .last()
        .unwrap_or(0)
}

/// A box at the origin.
fn server_box<'p>(server: &Server<'p>, networks: &[String], columns: usize) -> ServerBox<'p> {
    let mut used: Vec<usize> = Vec::new();
    for interface in server.hosts.iter().flat_map(|host| &host.interfaces) {
        let name = network_of(interface);
        let place = networks.iter().position(|network| *network == name);
        used.extend(place.filter(|place| !used.contains(place)));
    }
    used.sort_unstable();
    let top = BOX_TITLE + BOX_PADDING / 2;
    let bars: Vec<(usize, usize)> = used
        .into_iter()
        .enumerate()
        .map(|(row, network)| (network, top + row * BAR_PITCH))
        .collect();
    let mut y = top + bars.len() * BAR_PITCH + if bars.is_empty() { 0 } else { DROP };
    let mut cards = Vec::new();
    for row in server.hosts.chunks(columns) {
        let tallest = row.iter().map(|host| card_height(host)).max().unwrap_or(0);
        for (column, host) in row.iter().enumerate() {
            let x = BOX_PADDING + column * (CARD_WIDTH + CARD_GAP);
            let height = card_height(host);
            cards.push(Card { host, x, y, height });
        }
        y += tallest + CARD_GAP;
    }
    let width = 2 * BOX_PADDING + columns * (CARD_WIDTH + CARD_GAP) - CARD_GAP;
    ServerBox {
        name: server.name,
        x: 0,
        y: 0,
        width,
        height: y - CARD_GAP + BOX_PADDING,
        bars,
        cards,
    }
}

pub(super) fn card_height(host: &Host) -> usize {
    NAME_HEIGHT + LINE_HEIGHT * (host.interfaces.len() + 1) + 6
}

/// Puts the boxes into rows; gives the width and height that they take.
fn place_boxes(boxes: &mut [ServerBox<'_>]) -> (usize, usize) {
    let area: usize = boxes
        .iter()
        .map(|one| (one.width + BOX_GAP) * (one.height + BOX_GAP))
        .sum();
    let widest = boxes.iter().map(|one| one.width).max().unwrap_or(0);
    let row_width = root(area * ASPECT_TENTHS / 10).max(widest);
    let (mut x, mut y, mut row_height, mut width) = (0, 0, 0, 0);
    for one in boxes {
        if x > 0 && x + one.width > row_width {
            (x, y, row_height) = (0, y + row_height + BOX_GAP, 0);
        }
        (one.x, one.y) = (x + MARGIN, y + HEADER);
        x += one.width + BOX_GAP;
        width = width.max(x - BOX_GAP);
        row_height = row_height.max(one.height);
    }
    (width, y + row_height)
}
