//! Characters that are drawn as shapes: lines of boxes, blocks, braille.

/// A rectangle in a cell, in thousandths of the cell's width and height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) x: u16,
    pub(super) y: u16,
    pub(super) width: u16,
    pub(super) height: u16,
}

const fn shape(x: u16, y: u16, width: u16, height: u16) -> Shape {
    Shape { x, y, width, height }
}

/// For every character from U+2500 to U+254B, how thick its arms are: up, right, down, left.
const ARMS: [&str; 76] = [
    "0101", "0202", "1010", "2020", "0101", "0202", "1010", "2020", "0101", "0202", "1010", "2020",
    "0110", "0210", "0120", "0220", "0011", "0012", "0021", "0022", "1100", "1200", "2100", "2200",
    "1001", "1002", "2001", "2002", "1110", "1210", "2110", "1120", "2120", "2210", "1220", "2220",
    "1011", "1012", "2011", "1021", "2021", "2012", "1022", "2022", "0111", "0112", "0211", "0212",
    "0121", "0122", "0221", "0222", "1101", "1102", "1201", "1202", "2101", "2102", "2201", "2202",
    "1111", "1112", "1211", "1212", "2111", "1121", "2121", "2112", "2211", "1122", "1221", "2212",
    "1222", "2122", "2221", "2222",
];

/// How wide a thin line is across a column, and across a row: the same on paper, as a cell is about
/// twice as high as it is wide.
const ACROSS: (u16, u16) = (120, 60);

/// The shapes of a character, and how dense they are in percent; none if it is drawn as text.
pub(super) fn shapes(symbol: &str) -> Option<(Vec<Shape>, u8)> {
    let mut chars = symbol.chars();
    let (Some(c), None) = (chars.next(), chars.next()) else { return None };
    let code = c as u32;
    match code {
        0x2500..=0x254B => Some((arms(ARMS[(code - 0x2500) as usize]), 100)),
        0x254C => Some((dashes(true), 100)),
        0x254E => Some((dashes(false), 100)),
        0x2550 => Some((vec![shape(0, 380, 1000, 60), shape(0, 560, 1000, 60)], 100)),
        0x2551 => Some((vec![shape(300, 0, 120, 1000), shape(580, 0, 120, 1000)], 100)),
        0x256C => Some((arms("2222"), 100)),
        0x256D => Some((arms("0110"), 100)),
        0x256E => Some((arms("0011"), 100)),
        0x256F => Some((arms("1001"), 100)),
        0x2570 => Some((arms("1100"), 100)),
        0x2580..=0x259F => block(code),
        0x2800..=0x28FF => Some((braille(code - 0x2800), 100)),
        _ => None,
    }
}

/// Lines from the middle to the sides.
fn arms(weights: &str) -> Vec<Shape> {
    let weight: Vec<u16> = weights.bytes().map(|weight| u16::from(weight - b'0')).collect();
    let thick = weight.iter().copied().max().unwrap_or(0);
    let (wide, high) = (|w: u16| w * ACROSS.0, |w: u16| w * ACROSS.1);
    // Arms reach over the middle, so that corners are closed.
    let (over_x, over_y) = (wide(thick) / 2, high(thick) / 2);
    let mut shapes = Vec::new();
    for (side, &w) in weight.iter().enumerate().filter(|(_, w)| **w > 0) {
        let (x, y) = (500 - wide(w) / 2, 500 - high(w) / 2);
        shapes.push(match side {
            0 => shape(x, 0, wide(w), 500 + over_y),
            1 => shape(500 - over_x, y, 500 + over_x, high(w)),
            2 => shape(x, 500 - over_y, wide(w), 500 + over_y),
            _ => shape(0, y, 500 + over_x, high(w)),
        });
    }
    shapes
}

fn dashes(across: bool) -> Vec<Shape> {
    let at = [100, 600];
    match across {
        true => at.map(|x| shape(x, 470, 300, ACROSS.1)).to_vec(),
        false => at.map(|y| shape(440, y, ACROSS.0, 300)).to_vec(),
    }
}

fn block(code: u32) -> Option<(Vec<Shape>, u8)> {
    let part = |eighths: u32| (eighths * 125) as u16;
    let whole = shape(0, 0, 1000, 1000);
    let shapes = match code {
        0x2580 => vec![shape(0, 0, 1000, 500)],
        0x2581..=0x2588 => {
            let height = part(code - 0x2580);
            vec![shape(0, 1000 - height, 1000, height)]
        }
        0x2589..=0x258F => vec![shape(0, 0, part(0x2590 - code), 1000)],
        0x2590 => vec![shape(500, 0, 500, 1000)],
        0x2591 => return Some((vec![whole], 25)),
        0x2592 => return Some((vec![whole], 50)),
        0x2593 => return Some((vec![whole], 75)),
        0x2594 => vec![shape(0, 0, 1000, 125)],
        0x2595 => vec![shape(875, 0, 125, 1000)],
        _ => quarters(code),
    };
    Some((shapes, 100))
}

/// U+2596 to U+259F: which quarters are filled, upper left first.
fn quarters(code: u32) -> Vec<Shape> {
    const FILLED: [u8; 10] =
        [0b0010, 0b0001, 0b1000, 0b1011, 0b1001, 0b1110, 0b1101, 0b0100, 0b0110, 0b0111];
    let filled = FILLED[(code - 0x2596) as usize];
    let quarters = [(0b1000, 0, 0), (0b0100, 500, 0), (0b0010, 0, 500), (0b0001, 500, 500)];
    let quarters = quarters.into_iter().filter(|(bit, ..)| filled & bit != 0);
    quarters.map(|(_, x, y)| shape(x, y, 500, 500)).collect()
}

fn braille(bits: u32) -> Vec<Shape> {
    // The dots in the order of their bits: column, row.
    const DOTS: [(u16, u16); 8] = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)];
    let set = DOTS.iter().enumerate().filter(|(bit, _)| bits & (1 << bit) != 0);
    set.map(|(_, (column, row))| shape(130 + 500 * column, 65 + 250 * row, 240, 120)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_lies_in_its_cell_and_neighbours_meet() {
        for code in (0x2500..0x254C).chain(0x2580..0x25A0).chain(0x2800..0x2900) {
            let symbol = char::from_u32(code).unwrap().to_string();
            let (shapes, dense) = shapes(&symbol).unwrap();
            assert!((1..=100).contains(&dense) && (code == 0x2800 || !shapes.is_empty()));
            for shape in shapes {
                assert!(
                    shape.x + shape.width <= 1000 && shape.y + shape.height <= 1000,
                    "{symbol}"
                );
            }
        }
        let (cross, _) = shapes("┼").unwrap();
        let reaches = |x, y| {
            let covers = |s: &Shape| {
                (s.x..=s.x + s.width).contains(&x) && (s.y..=s.y + s.height).contains(&y)
            };
            cross.iter().any(covers)
        };
        assert!(
            [(500, 0), (1000, 500), (500, 1000), (0, 500)].into_iter().all(|(x, y)| reaches(x, y))
        );
        assert_eq!(shapes("█").unwrap().0, [shape(0, 0, 1000, 1000)]);
        assert_eq!(shapes("⣿").unwrap().0.len(), 8);
        assert_eq!(shapes("x"), None);
    }
}
