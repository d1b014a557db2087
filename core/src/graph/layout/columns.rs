//! How far from the left everything is: each thing near what it is joined with, in the order of its row, with space
//! between.

use super::{BESIDE, BESIDE_LINE, Layered};

/// How often all rows are moved towards what they are joined with.
const SWEEPS: usize = 24;

/// Of each item its middle. The leftmost edge is at 0.
pub(super) fn place(layered: &Layered) -> Vec<f64> {
    let mut centres = vec![0.0; layered.items.len()];
    for row in &layered.rows {
        let mut x = 0.0;
        for (place, item) in row.iter().enumerate() {
            if place > 0 {
                x += apart(layered, row[place - 1], *item);
            }
            centres[*item] = x;
        }
        let middle = x / 2.0;
        row.iter().for_each(|item| centres[*item] -= middle);
    }
    let count = layered.rows.len();
    for sweep in 0..SWEEPS {
        let both = sweep + 4 >= SWEEPS;
        for step in 0..count {
            let down = sweep % 2 == 0;
            let row = &layered.rows[if down { step } else { count - 1 - step }];
            let wishes: Vec<(f64, f64)> =
                row.iter().map(|item| wish(layered, *item, &centres, down || both, !down || both)).collect();
            settle(layered, row, &wishes, &mut centres);
        }
    }
    let left = |item: usize| centres[item] - layered.items[item].size.width / 2.0;
    let leftmost = (0..centres.len()).map(left).fold(f64::INFINITY, f64::min);
    if leftmost.is_finite() {
        centres.iter_mut().for_each(|centre| *centre -= leftmost);
    }
    centres
}

/// How far the middles of two neighbours are apart at least.
fn apart(layered: &Layered, left: usize, right: usize) -> f64 {
    let (left, right) = (layered.items[left], layered.items[right]);
    let is_line = |item: super::Item| !item.is_box && item.size.width == 0.0;
    let gap = if is_line(left) || is_line(right) { BESIDE_LINE } else { BESIDE };
    left.size.width / 2.0 + right.size.width / 2.0 + gap
}

/// Where an item would like its middle, and how much: lines that pass want to be straight most of all.
fn wish(layered: &Layered, item: usize, centres: &[f64], above: bool, below: bool) -> (f64, f64) {
    let (mut sum, mut weight) = (0.0, 0.0);
    let mut add = |others: &[usize]| {
        for other in others {
            let lines = usize::from(!layered.items[item].is_box) + usize::from(!layered.items[*other].is_box);
            let pull = [1.0, 2.0, 8.0][lines];
            sum += centres[*other] * pull;
            weight += pull;
        }
    };
    if above {
        add(&layered.above[item]);
    }
    if below {
        add(&layered.below[item]);
    }
    if weight > 0.0 { (sum / weight, weight) } else { (centres[item], 0.1) }
}

/// Puts a row as near as can be to its wishes without changing its order: least squares by pooling neighbours that
/// would come too close.
fn settle(layered: &Layered, row: &[usize], wishes: &[(f64, f64)], centres: &mut [f64]) {
    let mut offsets = Vec::with_capacity(row.len());
    let mut offset = 0.0;
    // Groups that move together: their place, their weight, how many they are.
    let mut groups: Vec<(f64, f64, usize)> = Vec::new();
    for (place, item) in row.iter().enumerate() {
        if place > 0 {
            offset += apart(layered, row[place - 1], *item);
        }
        offsets.push(offset);
        let (wish, weight) = wishes[place];
        let mut group = (wish - offset, weight, 1);
        while let Some(before) = groups.last().copied().filter(|before| before.0 > group.0) {
            groups.pop();
            let weight = before.1 + group.1;
            group = ((before.0 * before.1 + group.0 * group.1) / weight, weight, before.2 + group.2);
        }
        groups.push(group);
    }
    let mut places = groups.iter().flat_map(|(at, _, count)| std::iter::repeat_n(*at, *count));
    for (place, item) in row.iter().enumerate() {
        centres[*item] = places.next().unwrap_or_default() + offsets[place];
    }
}
