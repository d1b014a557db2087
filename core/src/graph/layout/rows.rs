//! Which row each box is in, and in which order: circles are cut, every line runs downwards, and the order is the one of
//! those tried in which the fewest lines cross.

use super::{Item, Layered, Link, MAX_BENDS, Size};

/// How often the rows are put in order, downwards and upwards in turn.
const SWEEPS: usize = 12;

/// Rows of boxes are even; in the odd ones lines have room for their labels.
pub(super) fn assign(boxes: &[Size], links: &[Link]) -> Layered {
    let reversed = against_the_order(boxes.len(), links);
    let downwards: Vec<Option<(usize, usize)>> = links
        .iter()
        .zip(&reversed)
        .map(|(link, reversed)| match (link.from == link.to, *reversed) {
            (true, _) => None,
            (false, false) => Some((link.from, link.to)),
            (false, true) => Some((link.to, link.from)),
        })
        .collect();
    let layers = longest_ways(boxes.len(), &downwards);
    let mut items: Vec<Item> =
        boxes.iter().zip(&layers).map(|(size, layer)| Item { row: layer * 2, size: *size, is_box: true }).collect();
    let mut chains = Vec::with_capacity(links.len());
    for (place, link) in downwards.iter().enumerate() {
        chains
            .push(link.map(|(upper, lower)| (chain(&mut items, (upper, lower), links[place].label), reversed[place])));
    }
    let rows = items.iter().map(|item| item.row + 1).max().unwrap_or(0);
    let mut layered = Layered {
        rows: vec![Vec::new(); rows],
        above: vec![Vec::new(); items.len()],
        below: vec![Vec::new(); items.len()],
        items,
        chains,
    };
    for (item, Item { row, .. }) in layered.items.iter().enumerate() {
        layered.rows[*row].push(item);
    }
    for (chain, _) in layered.chains.iter().flatten() {
        for pair in chain.windows(2) {
            layered.below[pair[0]].push(pair[1]);
            layered.above[pair[1]].push(pair[0]);
        }
    }
    layered
}

/// The items that a line runs through, with room for it in every row between its ends.
fn chain(items: &mut Vec<Item>, (upper, lower): (usize, usize), label: Option<Size>) -> Vec<usize> {
    let (first, last) = (items[upper].row, items[lower].row);
    let mut chain = vec![upper];
    let affordable = items.len() + (last - first) <= MAX_BENDS;
    // The label stands right below the box that the line leaves; without room for the rest it goes straight on.
    let until = if affordable { last } else { first + 2 };
    for row in first + 1..until {
        let size = match label {
            Some(label) if row == first + 1 => label,
            _ => Size { width: 0.0, height: 0.0 },
        };
        chain.push(items.len());
        items.push(Item { row, size, is_box: false });
    }
    chain.push(lower);
    chain
}

/// The links that have to be turned around so that no circle is left: those that lead back while walking from the
/// first box on.
fn against_the_order(count: usize, links: &[Link]) -> Vec<bool> {
    #[derive(Clone, Copy, PartialEq)]
    enum Walk {
        New,
        Open,
        Done,
    }
    let mut leaving: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (place, link) in links.iter().enumerate() {
        leaving[link.from].push(place);
    }
    let mut walk = vec![Walk::New; count];
    let mut reversed = vec![false; links.len()];
    for start in 0..count {
        let mut open = vec![(start, 0)];
        if walk[start] != Walk::New {
            continue;
        }
        walk[start] = Walk::Open;
        while let Some((node, next)) = open.last_mut() {
            let Some(link) = leaving[*node].get(*next).copied() else {
                walk[*node] = Walk::Done;
                open.pop();
                continue;
            };
            *next += 1;
            let to = links[link].to;
            match walk[to] {
                Walk::New => {
                    walk[to] = Walk::Open;
                    open.push((to, 0));
                }
                Walk::Open => reversed[link] = true,
                Walk::Done => {}
            }
        }
    }
    reversed
}

/// Of each box how many others lie above it at least; one above which nothing lies stays near what is below it.
fn longest_ways(count: usize, links: &[Option<(usize, usize)>]) -> Vec<usize> {
    let mut waiting = vec![0; count];
    let mut below: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (upper, lower) in links.iter().flatten() {
        below[*upper].push(*lower);
        waiting[*lower] += 1;
    }
    let first: Vec<usize> = (0..count).filter(|node| waiting[*node] == 0).collect();
    let mut layers = vec![0; count];
    let mut open = first.clone();
    while let Some(node) = open.pop() {
        for lower in &below[node] {
            layers[*lower] = layers[*lower].max(layers[node] + 1);
            waiting[*lower] -= 1;
            if waiting[*lower] == 0 {
                open.push(*lower);
            }
        }
    }
    for node in first {
        if let Some(nearest) = below[node].iter().map(|lower| layers[*lower]).min() {
            layers[node] = nearest - 1;
        }
    }
    layers
}

/// Puts the rows in the order in which the fewest lines cross, of those that sweeping up and down comes by.
pub(super) fn uncross(layered: &mut Layered) {
    let mut best = (crossings(layered), layered.rows.clone());
    for sweep in 0..SWEEPS {
        if best.0 == 0 {
            break;
        }
        let places = &mut places(layered);
        let count = layered.rows.len();
        for step in 0..count {
            let row = if sweep % 2 == 0 { step } else { count - 1 - step };
            let neighbours = if sweep % 2 == 0 { &layered.above } else { &layered.below };
            order(&mut layered.rows[row], neighbours, places);
        }
        let now = crossings(layered);
        if now < best.0 {
            best = (now, layered.rows.clone());
        }
    }
    layered.rows = best.1;
}

fn places(layered: &Layered) -> Vec<f64> {
    let mut places = vec![0.0; layered.items.len()];
    for row in &layered.rows {
        row.iter().enumerate().for_each(|(place, item)| places[*item] = place as f64);
    }
    places
}

/// Puts a row in the order of the middles of what its items are joined with.
fn order(row: &mut [usize], neighbours: &[Vec<usize>], places: &mut [f64]) {
    let mut keyed: Vec<(f64, usize)> = row
        .iter()
        .map(|item| {
            let joined = &neighbours[*item];
            let sum: f64 = joined.iter().map(|other| places[*other]).sum();
            (if joined.is_empty() { places[*item] } else { sum / joined.len() as f64 }, *item)
        })
        .collect();
    keyed.sort_by(|one, other| one.0.total_cmp(&other.0));
    for (place, (_, item)) in keyed.into_iter().enumerate() {
        row[place] = item;
        places[item] = place as f64;
    }
}

/// How many lines cross: for each row the inversions among the lines to the next one.
fn crossings(layered: &Layered) -> usize {
    let places = places(layered);
    let mut count = 0;
    for (row, next) in layered.rows.iter().zip(layered.rows.iter().skip(1)) {
        let mut seen = vec![0_usize; next.len() + 1];
        let mut total = 0;
        for item in row {
            let mut lower: Vec<usize> = layered.below[*item].iter().map(|other| places[*other] as usize).collect();
            lower.sort_unstable();
            for place in &lower {
                count += total - up_to(&seen, place + 1);
            }
            for place in lower {
                total += 1;
                add(&mut seen, place + 1);
            }
        }
    }
    count
}

/// Sums of a Fenwick tree.
fn up_to(tree: &[usize], mut index: usize) -> usize {
    let mut sum = 0;
    while index > 0 {
        sum += tree.get(index).copied().unwrap_or(0);
        index -= index & index.wrapping_neg();
    }
    sum
}

fn add(tree: &mut [usize], mut index: usize) {
    while index < tree.len() {
        tree[index] += 1;
        index += index & index.wrapping_neg();
    }
}
