//! Makes calls shorter where their target is near: `auipc` with `jalr` becomes `jal`, `c.jal` or `c.j`,
//! and padding shrinks to what the new places need.
//!
//! Only what compilers mark (`R_RISCV_RELAX`) may change its length: they then leave every distance
//! that spans it to the linker.

use std::borrow::Cow;

use super::encoding::*;
use crate::layout::Layout;
use crate::piece::{Cut, Goal, PieceId, Pieces, Slack};

/// Distances may still grow a little when padding moves, so a form has to fit with room to spare. It is
/// taken back if that was too little.
const SPARE: i128 = 32;

/// One round. True if anything changed.
pub(super) fn relax(word_size: usize, pieces: &mut Pieces<'_>, layout: &Layout) -> bool {
    let mut changed = false;
    for index in 0..pieces.pieces.len() {
        if pieces.pieces[index].slack.is_empty() {
            continue;
        }
        let slack = pieces.pieces[index].slack.clone();
        let mut new_slack = Vec::with_capacity(slack.len());
        let mut cuts: Vec<Cut> = Vec::new();
        for one in slack {
            let (one, cut) = match one {
                Slack::Branch {
                    fixup,
                    original,
                    size,
                    keep,
                } => {
                    let distance = distance(pieces, layout, PieceId(index), fixup);
                    let (size, keep) = next_size(word_size, &original, distance, size, keep);
                    let at = pieces.pieces[index].fixups[fixup].offset + size;
                    let cut = Cut { at, size: 8 - size };
                    let one = Slack::Branch {
                        fixup,
                        original,
                        size,
                        keep,
                    };
                    (one, cut)
                }
                Slack::Padding { at, room, align } => {
                    let before = cuts.iter().map(|cut| cut.size).sum::<u64>();
                    // The piece itself starts at a multiple of `align`.
                    let place = at - before;
                    let used = place.next_multiple_of(align) - place;
                    let used = used.min(room);
                    let cut = Cut {
                        at: at + used,
                        size: room - used,
                    };
                    (one, cut)
                }
            };
            if cut.size > 0 {
                cuts.push(cut);
            }
            new_slack.push(one);
        }
        let piece = &mut pieces.pieces[index];
        changed |= piece.cuts != cuts;
        piece.cuts = cuts;
        let bytes = piece.data.to_mut();
        for one in &new_slack {
            match one {
                Slack::Branch {
                    fixup,
                    original,
                    size,
                    ..
                } => {
                    let fixup = &mut piece.fixups[*fixup];
                    let at = fixup.offset as usize;
                    bytes[at..at + 8].copy_from_slice(original);
                    let link = link_register(original);
                    fixup.field = match size {
                        2 => {
                            let jump = short_jump(link != ZERO).to_le_bytes();
                            bytes[at..at + 2].copy_from_slice(&jump);
                            SHORT_JUMP
                        }
                        4 => {
                            put_word(bytes, at, jal(link));
                            JAL
                        }
                        _ => CALL,
                    };
                }
                Slack::Padding { at, room, .. } => {
                    let cut = piece
                        .cuts
                        .iter()
                        .find(|cut| (*at..=at + room).contains(&cut.at));
                    let used = cut.map_or(*room, |cut| cut.at - at) as usize;
                    fill_with_nops(&mut bytes[*at as usize..][..used]);
                }
            }
        }
        piece.slack = new_slack;
        debug_assert!(matches!(piece.data, Cow::Owned(_)));
    }
    changed
}

fn fill_with_nops(mut bytes: &mut [u8]) {
    if bytes.len() % 4 == 2 {
        let (short, rest) = bytes.split_at_mut(2);
        short.copy_from_slice(&SHORT_NOP.to_le_bytes());
        bytes = rest;
    }
    for nop in bytes.chunks_exact_mut(4) {
        nop.copy_from_slice(&NOP.to_le_bytes());
    }
}

/// The register that the call's `jalr` writes the return address to.
fn link_register(original: &[u8; 8]) -> u32 {
    word(original, 4).map_or(ZERO, destination)
}

/// How far the target is, where it is in text.
fn distance(pieces: &Pieces<'_>, layout: &Layout, piece: PieceId, fixup: usize) -> Option<i128> {
    let from = &pieces.pieces[piece.0];
    let fixup = &from.fixups[fixup];
    let Goal::Piece { piece: to, offset } = fixup.goal else {
        return None;
    };
    let target = &pieces.pieces[to.0];
    if target.block != from.block {
        return None;
    }
    let place = i128::from(layout.piece_offsets[piece.0])
        + i128::from(from.final_offset(fixup.offset as i64));
    let target = i128::from(layout.piece_offsets[to.0]) + i128::from(target.final_offset(offset));
    Some(target + i128::from(fixup.addend) - place)
}

/// The size in bytes that the call should have, and whether it must stay as it was.
fn next_size(
    word_size: usize,
    original: &[u8; 8],
    distance: Option<i128>,
    size: u64,
    keep: bool,
) -> (u64, bool) {
    let (Some(distance), false) = (distance, keep) else {
        return (8, true);
    };
    let reaches = |field: crate::relocation::Field, spare: i128| {
        field.holds(distance) && field.holds(distance - spare) && field.holds(distance + spare)
    };
    let link = link_register(original);
    let short = link == ZERO || link == RA && word_size == 4;
    match size {
        2 if !SHORT_JUMP.holds(distance) => (8, true),
        4 if !JAL.holds(distance) => (8, true),
        2 => (2, false),
        _ if short && reaches(SHORT_JUMP, SPARE) => (2, false),
        4 => (4, false),
        _ if reaches(JAL, SPARE) => (4, false),
        _ => (8, false),
    }
}
