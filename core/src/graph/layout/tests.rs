//! Layouts of random graphs: nothing lies on anything else, whatever the graph.

use proptest::prelude::*;

use super::*;

const BOX: Size = Size { width: 100.0, height: 40.0 };
const LABEL: Size = Size { width: 150.0, height: 16.0 };

fn link(from: usize, to: usize) -> Link {
    Link { from, to, label: None }
}

/// Boxes and labels as rectangles: left, top, right, bottom.
fn rectangles(boxes: &[Size], links: &[Link], placed: &Placed) -> Vec<(f64, f64, f64, f64)> {
    let boxes = boxes.iter().zip(&placed.boxes).map(|(size, at)| (at.x, at.y, at.x + size.width, at.y + size.height));
    let labels = links.iter().zip(&placed.ways).filter_map(|(link, way)| {
        let (size, at) = (link.label?, way.as_ref()?.label?);
        let (width, height) = (size.width / 2.0, size.height / 2.0);
        Some((at.x - width, at.y - height, at.x + width, at.y + height))
    });
    boxes.chain(labels).collect()
}

fn overlap(one: &(f64, f64, f64, f64), other: &(f64, f64, f64, f64)) -> bool {
    let near = 0.01;
    one.0 + near < other.2 && other.0 + near < one.2 && one.1 + near < other.3 && other.1 + near < one.3
}

#[test]
fn a_chain_is_straight_and_a_diamond_symmetric() {
    let boxes = [BOX; 4];
    let placed = layered(&boxes[..3], &[link(0, 1), link(1, 2)]);
    assert!(placed.boxes.iter().all(|at| (at.x - placed.boxes[0].x).abs() < 0.5), "{:?}", placed.boxes);
    let placed = layered(&boxes, &[link(0, 1), link(0, 2), link(1, 3), link(2, 3)]);
    assert!((placed.boxes[0].x - placed.boxes[3].x).abs() < 0.5);
    assert!((placed.boxes[1].y - placed.boxes[2].y).abs() < 0.5);
    assert!(placed.boxes[1].x < placed.boxes[2].x, "in the order written");
}

#[test]
fn lines_cross_only_where_they_must() {
    let boxes = [BOX; 6];
    let links = [link(0, 5), link(1, 4), link(2, 3)];
    let placed = layered(&boxes, &links);
    let order = |ends: [usize; 3]| {
        let mut ends = ends.to_vec();
        ends.sort_by(|one, other| placed.boxes[*one].x.total_cmp(&placed.boxes[*other].x));
        ends
    };
    let upper = order([0, 1, 2]);
    assert_eq!(order([3, 4, 5]), upper.iter().map(|from| 5 - from).collect::<Vec<_>>());
}

#[test]
fn a_circle_has_one_line_that_leads_back() {
    let placed = layered(&[BOX; 3], &[link(0, 1), link(1, 2), link(2, 0), link(1, 1)]);
    let up = |way: &Way| way.points.first().map(|at| at.y) > way.points.last().map(|at| at.y);
    assert_eq!(placed.ways.iter().flatten().filter(|way| up(way)).count(), 1);
    assert!(placed.ways[3].is_none(), "from a box to itself there is no way to draw");
}

#[test]
fn very_many_long_lines_take_no_room_beyond_what_is_affordable() {
    let count = 2_000;
    let mut links: Vec<Link> = (1..count).map(|to| link(to - 1, to)).collect();
    links.extend((2..count).map(|to| link(0, to)));
    let placed = layered(&vec![BOX; count], &links);
    assert_eq!(placed.boxes.len(), count);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_lies_on_anything_else(
        sizes in proptest::collection::vec((20.0..300.0_f64, 20.0..200.0_f64), 1..24),
        ends in proptest::collection::vec((0..24_usize, 0..24_usize, any::<bool>()), 0..50)
    ) {
        let boxes: Vec<Size> = sizes.into_iter().map(|(width, height)| Size { width, height }).collect();
        let links: Vec<Link> = ends
            .into_iter()
            .map(|(from, to, labelled)| Link {
                from: from % boxes.len(),
                to: to % boxes.len(),
                label: labelled.then_some(LABEL),
            })
            .collect();
        let placed = layered(&boxes, &links);
        let all = rectangles(&boxes, &links, &placed);
        for (place, one) in all.iter().enumerate() {
            prop_assert!(one.0 > -0.01 && one.1 > -0.01, "inside the picture");
            prop_assert!(one.2 < placed.size.width + 0.01 && one.3 < placed.size.height + 0.01, "inside the picture");
            for other in &all[place + 1..] {
                prop_assert!(!overlap(one, other), "{one:?} {other:?}");
            }
        }
        for (link, way) in links.iter().zip(&placed.ways) {
            prop_assert_eq!(way.is_none(), link.from == link.to);
            prop_assert!(way.as_ref().is_none_or(|way| link.label.is_some() == way.label.is_some()));
        }
    }
}
