//! Decides the order of functions, so that calls reach their targets by short instructions: a call of two bytes reaches
//! 2 KB, one of four reaches 1 MB.
//!
//! The order of the inputs is a good one already where a compiler has made it. From there each function in turn is
//! moved to the place where most calls become short, as long as that helps. What moves past one neighbour changes the
//! distances of these two only, so looking at all places costs little.

use super::encoding::{RA, ZERO, destination, word};
use crate::piece::{Block, Goal, Group, PieceId, Pieces, Slack};

/// How far a short call is taken to reach, in bytes: a little less than it does, as sizes are not known exactly yet.
const REACH: i64 = 2000;
/// Turns over all functions. The first two do nearly everything.
const MOST_TURNS: usize = 6;
/// Functions times calls, to which a turn's work is proportional: a hundredth of a second or so. Larger programs keep
/// the order of their inputs.
const MOST_WORK: usize = 4_000_000;

/// A call that may become short. Offsets are in bytes, in the functions.
struct Call {
    from: usize,
    from_offset: i64,
    to: usize,
    to_offset: i64,
}

/// Functions by number, in the order of the inputs.
struct Functions {
    /// In bytes, as far as known.
    sizes: Vec<i64>,
    calls: Vec<Call>,
    /// The calls from and to each.
    calls_of: Vec<Vec<usize>>,
    starts: Vec<i64>,
    /// The numbers in the order of addresses.
    order: Vec<usize>,
    /// How many at the beginning stay where they are.
    fixed: usize,
}

/// Gives functions their ranks.
pub(super) fn arrange(word_size: usize, pieces: &mut Pieces<'_>) {
    let (ids, mut functions) = functions(word_size, pieces);
    if ids.len().saturating_mul(functions.calls.len()) > MOST_WORK {
        return;
    }
    functions.improve();
    for (rank, function) in functions.order.iter().enumerate() {
        pieces.pieces[ids[*function].0].rank = rank;
    }
}

fn functions(word_size: usize, pieces: &Pieces<'_>) -> (Vec<PieceId>, Functions) {
    let mut ids: Vec<PieceId> = (0..pieces.pieces.len())
        .map(PieceId)
        .filter(|id| {
            let piece = &pieces.pieces[id.0];
            piece.block == Block::Text && matches!(piece.group, Group::Entry | Group::Code)
        })
        .collect();
    ids.sort_by_key(|id| (pieces.pieces[id.0].group, *id));
    let mut number_of = vec![None; pieces.pieces.len()];
    for (number, id) in ids.iter().enumerate() {
        number_of[id.0] = Some(number);
    }
    let mut functions = Functions {
        sizes: Vec::with_capacity(ids.len()),
        calls: Vec::new(),
        calls_of: vec![Vec::new(); ids.len()],
        starts: Vec::with_capacity(ids.len()),
        order: (0..ids.len()).collect(),
        fixed: ids
            .iter()
            .filter(|id| pieces.pieces[id.0].group == Group::Entry)
            .count(),
    };
    let mut start = 0;
    for (from, id) in ids.iter().enumerate() {
        let piece = &pieces.pieces[id.0];
        // Nearly every call loses its `auipc`.
        let mut cut = 0;
        for slack in &piece.slack {
            let Slack::Branch {
                fixup, original, ..
            } = slack
            else {
                continue;
            };
            let fixup = &piece.fixups[*fixup];
            let from_offset = fixup.offset as i64 - cut;
            cut += 4;
            let Goal::Piece { piece: to, offset } = fixup.goal else {
                continue;
            };
            let link = word(original, 4).map_or(ZERO, destination);
            let may_be_short = link == ZERO || link == RA && word_size == 4;
            let Some(to) = number_of[to.0].filter(|to| may_be_short && *to != from) else {
                continue;
            };
            functions.calls_of[from].push(functions.calls.len());
            functions.calls_of[to].push(functions.calls.len());
            functions.calls.push(Call {
                from,
                from_offset,
                to,
                to_offset: offset + fixup.addend,
            });
        }
        let size = piece.size.next_multiple_of(piece.align.max(1)) as i64 - cut;
        functions.starts.push(start);
        functions.sizes.push(size);
        start += size;
    }
    (ids, functions)
}

impl Functions {
    /// Moves functions as long as that helps.
    fn improve(&mut self) {
        for _ in 0..MOST_TURNS {
            let moved = (self.fixed..self.order.len())
                .map(|function| self.move_to_best(function))
                .fold(false, |any, moved| any | moved);
            if !moved {
                break;
            }
        }
    }

    /// Moves a function to where most calls are short. True if that is elsewhere.
    fn move_to_best(&mut self, function: usize) -> bool {
        let Some(place) = self.order.iter().position(|other| *other == function) else {
            return false;
        };
        if self.calls_of[function].is_empty() {
            return false;
        }
        let (mut gain, mut best) = (0, (0, place));
        for at in (self.fixed..place).rev() {
            gain += self.swap(at);
            if gain > best.0 {
                best = (gain, at);
            }
        }
        for at in self.fixed..self.order.len() - 1 {
            gain += self.swap(at);
            if gain > best.0 {
                best = (gain, at + 1);
            }
        }
        for at in (best.1..self.order.len() - 1).rev() {
            self.swap(at);
        }
        best.1 != place
    }

    /// Swaps the function at this place with the next one; how many more calls are short then.
    fn swap(&mut self, at: usize) -> i64 {
        let (first, second) = (self.order[at], self.order[at + 1]);
        let before = self.short_calls(first, second);
        self.order.swap(at, at + 1);
        self.starts[second] = self.starts[first];
        self.starts[first] += self.sizes[second];
        self.short_calls(first, second) - before
    }

    /// How many of the calls from and to these two are short.
    fn short_calls(&self, first: usize, second: usize) -> i64 {
        let of_second = self.calls_of[second].iter().filter(|call| {
            let call = &self.calls[**call];
            call.from != first && call.to != first
        });
        let calls = self.calls_of[first].iter().chain(of_second);
        calls
            .filter(|call| {
                let call = &self.calls[**call];
                let from = self.starts[call.from] + call.from_offset;
                let to = self.starts[call.to] + call.to_offset;
                (to - from).abs() <= REACH
            })
            .count() as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Functions of these sizes, the first of them fixed, that call each other's starts from their own.
    fn program(sizes: &[i64], calls: &[(usize, usize)]) -> Functions {
        let mut calls_of = vec![Vec::new(); sizes.len()];
        for (number, (from, to)) in calls.iter().enumerate() {
            calls_of[*from].push(number);
            calls_of[*to].push(number);
        }
        let starts = (0..sizes.len()).map(|n| sizes[..n].iter().sum()).collect();
        Functions {
            sizes: sizes.to_vec(),
            calls: calls
                .iter()
                .map(|(from, to)| Call {
                    from: *from,
                    from_offset: 0,
                    to: *to,
                    to_offset: 0,
                })
                .collect(),
            calls_of,
            starts,
            order: (0..sizes.len()).collect(),
            fixed: 1,
        }
    }

    fn short(functions: &Functions) -> usize {
        let start = |n: usize| functions.starts[n];
        let near = |call: &&Call| (start(call.from) - start(call.to)).abs() <= REACH;
        functions.calls.iter().filter(near).count()
    }

    #[test]
    fn callers_and_callees_come_together() {
        let mut functions = program(&[8, 100, 5000, 100, 5000, 100], &[(1, 3), (3, 5), (1, 5)]);
        assert_eq!(short(&functions), 0);
        functions.improve();
        assert_eq!(short(&functions), 3);
        assert_eq!(functions.order[0], 0, "the entry stays");
        let mut places = functions.order.clone();
        places.sort_unstable();
        assert_eq!(places, [0, 1, 2, 3, 4, 5]);
        let mut start = 0;
        for function in &functions.order {
            assert_eq!(functions.starts[*function], start);
            start += functions.sizes[*function];
        }
    }

    #[test]
    fn what_is_near_already_stays() {
        let mut functions = program(&[8, 100, 100, 100], &[(1, 3), (2, 3)]);
        functions.improve();
        assert_eq!(functions.order, [0, 1, 2, 3]);
    }
}
