//! Decides the address of every piece and of every slot in the table of addresses.

use crate::arch::Architecture;
use crate::error::LinkError;
use crate::input::{Program, SIZE_LIMIT};
use crate::piece::{Block, Goal, PieceId, Pieces, SlotId};

/// Where the table of addresses stands: beside the code that reads it.
pub(crate) const GOT_BLOCK: Block = Block::Text;

/// Offsets are in bytes from the start of the block.
#[derive(Debug)]
pub(crate) struct Layout {
    /// By [`PieceId`].
    pub piece_offsets: Vec<u64>,
    /// By [`SlotId`].
    pub slot_offsets: Vec<u64>,
    pub got_offset: u64,
    pub got_size: u64,
    pub text_size: u64,
    pub rodata_size: u64,
    pub bss_size: u64,
    /// Pieces in order of block and address.
    pub order: Vec<PieceId>,
}

impl Layout {
    pub fn size(&self, block: Block) -> u64 {
        match block {
            Block::Text => self.text_size,
            Block::Rodata => self.rodata_size,
            Block::Bss => self.bss_size,
        }
    }
}

/// `first` is the piece to stand at the text's first byte.
pub(crate) fn lay_out(
    program: &Program<'_>,
    pieces: &Pieces<'_>,
    arch: &dyn Architecture,
    first: PieceId,
) -> Result<Layout, LinkError> {
    let word = arch.word_size() as u64;
    let mut order: Vec<PieceId> = (0..pieces.pieces.len()).map(PieceId).collect();
    order.sort_by_key(|id| {
        let piece = &pieces.pieces[id.0];
        (piece.block, *id != first, piece.group, piece.rank, *id)
    });

    let got = GOT_BLOCK as usize;
    let got_size = pieces.slots.len() as u64 * word;
    let mut got_offset = None;
    let mut offsets = vec![0; pieces.pieces.len()];
    let mut sizes = [0u64; 3];
    let mut aligns = [word; 3];
    for id in &order {
        let piece = &pieces.pieces[id.0];
        let block = piece.block as usize;
        let limit = arch.block_alignment(piece.block);
        if piece.align > limit {
            let (object, section) = match piece.section {
                Some(section) => {
                    let section = &program.sections[section.0];
                    (
                        program.objects[section.object].name.clone(),
                        section.name.to_string(),
                    )
                }
                None => (String::new(), piece.name.clone()),
            };
            return Err(LinkError::Alignment {
                object,
                section,
                align: piece.align,
                place: piece.block.name(),
                limit,
            });
        }
        if arch.got_leads() && block == got && *id != first && got_offset.is_none() {
            let offset = sizes[got].next_multiple_of(word);
            sizes[got] = offset + got_size;
            got_offset = Some(offset);
        }
        offsets[id.0] = sizes[block].next_multiple_of(piece.align);
        sizes[block] = offsets[id.0] + piece.final_size();
        aligns[block] = aligns[block].max(piece.align);
        if sizes[block] > SIZE_LIMIT {
            return Err(LinkError::TooLarge {
                what: piece.block.name(),
                size: sizes[block],
                limit: SIZE_LIMIT,
            });
        }
    }

    let got_offset = got_offset.unwrap_or_else(|| {
        let offset = sizes[got].next_multiple_of(word);
        if got_size > 0 {
            sizes[got] = offset + got_size;
        }
        offset
    });
    // Neighbours with the same destination share one entry in the file's list of relocations.
    let mut slot_order: Vec<SlotId> = (0..pieces.slots.len()).map(SlotId).collect();
    slot_order.sort_by_key(|id| (destination_rank(pieces, pieces.slots[id.0].goal), *id));
    let mut slot_offsets = vec![0; pieces.slots.len()];
    for (position, id) in slot_order.iter().enumerate() {
        slot_offsets[id.0] = got_offset + position as u64 * word;
    }

    // The loader puts rodata right behind bss, so bss is rounded up to what rodata needs.
    let [text_size, rodata_size, mut bss_size] = sizes;
    if bss_size > 0 {
        bss_size = bss_size.next_multiple_of(aligns[Block::Rodata as usize]);
    }
    Ok(Layout {
        piece_offsets: offsets,
        slot_offsets,
        got_offset,
        got_size,
        text_size,
        rodata_size,
        bss_size,
        order,
    })
}

fn destination_rank(pieces: &Pieces<'_>, goal: Goal<'_>) -> u8 {
    match goal {
        Goal::Piece { piece, .. } => pieces.pieces[piece.0].block as u8,
        Goal::Slot(_) | Goal::GotBase => 0,
        Goal::Start(block) => block as u8,
        Goal::Qstr(_) | Goal::QstrTable => 6,
        Goal::FunctionTable => 8,
        Goal::TableEntry(_) => 9,
        Goal::Absolute(_) => u8::MAX,
    }
}
