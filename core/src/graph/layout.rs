//! Where boxes and the lines between them go: rows from top to bottom, few crossings, nothing on top of anything else.
//! After Sugiyama, Tagawa, Toda (1981). Knows sizes alone; what is drawn in the boxes is the renderer's.

mod columns;
mod rows;

/// Space between two things beside each other.
const BESIDE: f64 = 28.0;
/// Space beside a line that only passes.
const BESIDE_LINE: f64 = 14.0;
/// Space between two rows; between two rows of boxes there is always one of lines.
const BELOW: f64 = 20.0;
/// How far a line may be moved to be straight.
const NEARLY: f64 = 8.0;
/// How many places of lines are kept free at most. Beyond it long lines run behind boxes.
const MAX_BENDS: usize = 100_000;

/// Width and height.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Size {
    /// From left to right.
    pub width: f64,
    /// From top to bottom.
    pub height: f64,
}

/// A place; `y` grows downwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// From the left.
    pub x: f64,
    /// From the top.
    pub y: f64,
}

/// A line from one box to another.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    /// The box that it leaves.
    pub from: usize,
    /// The box that it reaches.
    pub to: usize,
    /// The room that its label takes.
    pub label: Option<Size>,
}

/// Where everything went.
#[derive(Debug)]
pub struct Placed {
    /// Of each box its upper left corner.
    pub boxes: Vec<Point>,
    /// Of each link its way; none for one from a box to itself.
    pub ways: Vec<Option<Way>>,
    /// The room that it all takes.
    pub size: Size,
}

/// The way of a line: through these places in turn, upright at each.
#[derive(Debug, Clone)]
pub struct Way {
    /// From the box that it leaves to the one that it reaches.
    pub points: Vec<Point>,
    /// The middle of its label.
    pub label: Option<Point>,
}

/// Something in a row: a box, or room for a line.
#[derive(Debug, Clone, Copy)]
struct Item {
    row: usize,
    size: Size,
    is_box: bool,
}

/// The things in their rows, with the lines between neighbouring rows.
struct Layered {
    items: Vec<Item>,
    /// From left to right.
    rows: Vec<Vec<usize>>,
    above: Vec<Vec<usize>>,
    below: Vec<Vec<usize>>,
    /// Of each link the items that it runs through, from top to bottom, and whether that is against its direction.
    chains: Vec<Option<(Vec<usize>, bool)>>,
}

/// Lays boxes and links out.
pub fn layered(boxes: &[Size], links: &[Link]) -> Placed {
    let mut layered = rows::assign(boxes, links);
    rows::uncross(&mut layered);
    let centres = columns::place(&layered);
    let tops = tops(&layered);
    let corner = |item: usize| {
        let Item { row, size, .. } = layered.items[item];
        let (top, height) = tops[row];
        Point { x: centres[item] - size.width / 2.0, y: top + (height - size.height) / 2.0 }
    };
    let corners = (0..boxes.len()).map(corner).collect();
    let ports = Ports::of(&layered, &centres);
    let ways = (0..links.len()).map(|link| layered.way(link, &links[link], &centres, &tops, &ports)).collect();
    let width = (0..layered.items.len()).map(|item| centres[item] + layered.items[item].size.width / 2.0);
    let width = width.fold(0.0, f64::max);
    let height = tops.last().map_or(0.0, |(top, height)| top + height);
    Placed { boxes: corners, ways, size: Size { width, height } }
}

/// Of each row its top and its height.
fn tops(layered: &Layered) -> Vec<(f64, f64)> {
    let mut top = 0.0;
    let mut tops = Vec::with_capacity(layered.rows.len());
    for row in &layered.rows {
        let height = row.iter().map(|item| layered.items[*item].size.height).fold(0.0, f64::max);
        tops.push((top, height));
        top += height + BELOW;
    }
    tops
}

/// Where lines meet a box: spread over its edge in the order in which they come.
struct Ports {
    /// By link: where it leaves the upper box and where it reaches the lower one.
    ends: Vec<(f64, f64)>,
}

impl Ports {
    fn of(layered: &Layered, centres: &[f64]) -> Self {
        let mut lower: Vec<Vec<(f64, usize)>> = vec![Vec::new(); layered.items.len()];
        let mut upper = lower.clone();
        for (link, chain) in layered.chains.iter().enumerate() {
            let Some(([first, second, ..], last_two)) =
                chain.as_ref().map(|(chain, _)| (chain.as_slice(), &chain[chain.len().saturating_sub(2)..]))
            else {
                continue;
            };
            lower[*first].push((centres[*second], link));
            if let [before, last] = last_two {
                upper[*last].push((centres[*before], link));
            }
        }
        let mut ends = vec![(0.0, 0.0); layered.chains.len()];
        for (side, is_upper) in [(&mut lower, false), (&mut upper, true)] {
            for (item, links) in side.iter_mut().enumerate() {
                links.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
                let gap = (layered.items[item].size.width * 0.6 / links.len().max(1) as f64).min(24.0);
                let first = centres[item] - gap * (links.len().saturating_sub(1)) as f64 / 2.0;
                for (place, (_, link)) in links.iter().enumerate() {
                    let at = first + gap * place as f64;
                    if is_upper { ends[*link].1 = at } else { ends[*link].0 = at }
                }
            }
        }
        Self { ends }
    }
}

impl Layered {
    fn way(&self, link: usize, given: &Link, centres: &[f64], tops: &[(f64, f64)], ports: &Ports) -> Option<Way> {
        let (chain, reversed) = self.chains[link].as_ref()?;
        let (start, end) = ports.ends[link];
        let mut points = Vec::with_capacity(chain.len() * 2);
        let mut label = None;
        for (place, item) in chain.iter().enumerate() {
            let Item { row, size, .. } = self.items[*item];
            let (top, height) = tops[row];
            let middle = top + height / 2.0;
            if place == 0 {
                points.push(Point { x: start, y: middle + size.height / 2.0 });
                points.push(Point { x: start, y: top + height });
            } else if place + 1 == chain.len() {
                points.push(Point { x: end, y: top });
                points.push(Point { x: end, y: middle - size.height / 2.0 });
            } else if height > 0.0 {
                // A line that is nearly straight is straight: the little that it moves is less than the space beside it.
                let before = points.last().map_or(start, |point: &Point| point.x);
                let x = if (before - centres[*item]).abs() < NEARLY { before } else { centres[*item] };
                points.push(Point { x, y: top });
                points.push(Point { x, y: top + height });
                if given.label.is_some() && size.height > 0.0 {
                    label = Some(Point { x: centres[*item], y: middle });
                }
            }
        }
        points.dedup();
        if *reversed {
            points.reverse();
        }
        Some(Way { points, label })
    }
}

#[cfg(test)]
mod tests;
