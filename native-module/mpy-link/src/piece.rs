//! The material of the output: pieces of code or data that move as a whole, what must be filled into
//! them, and the table of addresses (GOT) they share.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::input::SectionId;
use crate::relocation::Field;

/// Position of a piece in [`Pieces::pieces`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PieceId(pub usize);

/// Position of a slot in [`Pieces::slots`], in order of first use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SlotId(pub usize);

/// The three stretches of memory that MicroPython's loader makes. Their distances are unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Block {
    Text,
    Rodata,
    Bss,
}

impl Block {
    pub fn name(self) -> &'static str {
        match self {
            Block::Text => "text",
            Block::Rodata => "rodata",
            Block::Bss => "bss",
        }
    }
}

/// Order of pieces within a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    Entry,
    Code,
    ReadOnly,
    ReadOnlyAfterLoad,
    Data,
    Bss,
}

/// Something with an address, or a number, that a field can be filled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Goal<'a> {
    Piece {
        piece: PieceId,
        offset: i64,
    },
    Absolute(u64),
    FunctionTable,
    TableEntry(u8),
    Qstr(&'a str),
    QstrTable,
    Slot(SlotId),
    GotBase,
    /// The first byte of the memory that bss and rodata share.
    Statics,
}

/// How a field's value is made; S is the goal's address, P the field's, B the start of the table of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Formula<'a> {
    /// S + A
    Absolute,
    /// S + A - P
    Relative,
    /// S + A - P, where P is rounded down to a multiple of 4.
    RelativeToWord,
    /// S + A - B
    FromGotBase,
    /// S + A - the address of another goal in the same block.
    Minus(Goal<'a>),
}

/// One field to fill.
#[derive(Clone, Debug)]
pub(crate) struct Fixup<'a> {
    /// In the piece, in bytes.
    pub offset: u64,
    pub field: Field,
    pub formula: Formula<'a>,
    pub goal: Goal<'a>,
    pub addend: i64,
    /// For messages: the relocation's name and its offset in the input section.
    pub cause: Cause,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Cause {
    pub relocation: &'static str,
    pub section: SectionId,
    pub offset: u64,
    /// Index into the object's symbols.
    pub symbol: usize,
}

#[derive(Debug)]
pub(crate) struct Piece<'a> {
    pub name: String,
    pub block: Block,
    pub group: Group,
    pub data: Cow<'a, [u8]>,
    pub size: u64,
    pub align: u64,
    pub fixups: Vec<Fixup<'a>>,
    /// The section it was, for pieces that were one.
    pub section: Option<SectionId>,
}

#[derive(Debug, Default)]
pub(crate) struct Pieces<'a> {
    pub pieces: Vec<Piece<'a>>,
    /// Goal, addend and first cause of each word in the table of addresses.
    pub slots: Vec<Slot<'a>>,
    slot_of: HashMap<(Goal<'a>, i64), SlotId>,
    stub_of: HashMap<Goal<'a>, PieceId>,
}

#[derive(Clone, Debug)]
pub(crate) struct Slot<'a> {
    pub goal: Goal<'a>,
    pub addend: i64,
    pub cause: Cause,
}

impl<'a> Pieces<'a> {
    pub fn add(&mut self, piece: Piece<'a>) -> PieceId {
        self.pieces.push(piece);
        PieceId(self.pieces.len() - 1)
    }

    /// The slot that holds `goal + addend`, made on first use.
    pub fn slot(&mut self, goal: Goal<'a>, addend: i64, cause: Cause) -> SlotId {
        let slots = &mut self.slots;
        *self.slot_of.entry((goal, addend)).or_insert_with(|| {
            slots.push(Slot {
                goal,
                addend,
                cause,
            });
            SlotId(slots.len() - 1)
        })
    }

    /// The piece of code that jumps to `goal`, made on first use by `make`.
    pub fn stub(
        &mut self,
        goal: Goal<'a>,
        make: impl FnOnce(&mut Pieces<'a>) -> Piece<'a>,
    ) -> PieceId {
        if let Some(piece) = self.stub_of.get(&goal) {
            return *piece;
        }
        let piece = make(self);
        let piece = self.add(piece);
        self.stub_of.insert(goal, piece);
        piece
    }

    /// The block that a goal lies in, if it lies in one.
    pub fn block_of(&self, goal: Goal<'_>, got: Block) -> Option<Block> {
        match goal {
            Goal::Piece { piece, .. } => Some(self.pieces[piece.0].block),
            Goal::Slot(_) | Goal::GotBase => Some(got),
            Goal::Absolute(_)
            | Goal::FunctionTable
            | Goal::TableEntry(_)
            | Goal::Qstr(_)
            | Goal::QstrTable
            | Goal::Statics => None,
        }
    }
}
