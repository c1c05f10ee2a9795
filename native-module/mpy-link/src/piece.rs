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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
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
    /// A block's first byte.
    Start(Block),
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
    /// S + A - P, where S lies outside of the field's block: the code that runs before the entry
    /// adds the distance between the two, which only it can know.
    LateRelative,
    /// S + A - B, likewise.
    LateFromGotBase,
}

/// A 32-bit field in text that is unfinished until the module starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Late<'a> {
    pub field: Goal<'a>,
    /// What the start-up code has to add, less the start of text.
    pub base: Goal<'a>,
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

/// Bytes of a piece that the output leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub at: u64,
    pub size: u64,
}

/// What may become shorter once distances are known; the CPU's file notes and handles it.
#[derive(Clone, Debug)]
pub(crate) enum Slack {
    /// The call or jump that this fixup fills, as it was: at least this long.
    Branch {
        fixup: usize,
        original: [u8; 8],
        size: u64,
        /// It was shorter once, and then too short.
        keep: bool,
    },
    /// Room for padding, so that what follows is aligned.
    Padding { at: u64, room: u64, align: u64 },
}

#[derive(Debug)]
pub(crate) struct Piece<'a> {
    pub name: String,
    pub block: Block,
    pub group: Group,
    /// Order within the group; the inputs' among equals.
    pub rank: usize,
    pub data: Cow<'a, [u8]>,
    pub size: u64,
    pub align: u64,
    pub fixups: Vec<Fixup<'a>>,
    /// The section it was, for pieces that were one.
    pub section: Option<SectionId>,
    /// Ascending and apart. Offsets of goals and fixups count as if nothing were left out.
    pub cuts: Vec<Cut>,
    /// Ascending by offset.
    pub slack: Vec<Slack>,
}

impl<'a> Piece<'a> {
    /// Code of the linker's own making.
    pub fn made(name: String, group: Group, code: Vec<u8>, fixups: Vec<Fixup<'a>>) -> Piece<'a> {
        Piece {
            name,
            block: Block::Text,
            group,
            rank: 0,
            size: code.len() as u64,
            data: Cow::Owned(code),
            align: 4,
            fixups,
            section: None,
            cuts: Vec::new(),
            slack: Vec::new(),
        }
    }

    /// In the output, in bytes.
    pub fn final_size(&self) -> u64 {
        self.size - self.cuts.iter().map(|cut| cut.size).sum::<u64>()
    }

    /// Where an offset is in the output; what was left out is where it was cut.
    pub fn final_offset(&self, offset: i64) -> i64 {
        let before = self.cuts.iter().map(|cut| {
            let inside = offset.saturating_sub(cut.at as i64);
            inside.clamp(0, cut.size as i64)
        });
        offset - before.sum::<i64>()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Pieces<'a> {
    pub pieces: Vec<Piece<'a>>,
    /// Goal, addend and first cause of each word in the table of addresses.
    pub slots: Vec<Slot<'a>>,
    slot_of: HashMap<(Goal<'a>, i64), SlotId>,
    stub_of: HashMap<Goal<'a>, PieceId>,
    made: HashMap<&'static str, Goal<'a>>,
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

    /// The function of that name, made on first use by `make`.
    pub fn made(
        &mut self,
        name: &'static str,
        make: impl FnOnce(&mut Pieces<'a>) -> Goal<'a>,
    ) -> Goal<'a> {
        if let Some(goal) = self.made.get(name) {
            return *goal;
        }
        let goal = make(self);
        self.made.insert(name, goal);
        goal
    }

    /// All fields that the start-up code has to finish, by base.
    pub fn late(&self) -> Vec<Late<'a>> {
        let mut late = Vec::new();
        for (index, piece) in self.pieces.iter().enumerate() {
            for fixup in &piece.fixups {
                if !matches!(
                    fixup.formula,
                    Formula::LateRelative | Formula::LateFromGotBase
                ) {
                    continue;
                }
                let base = match fixup.goal {
                    Goal::Piece { piece, .. } => Goal::Start(self.pieces[piece.0].block),
                    Goal::Absolute(_) => Goal::Absolute(0),
                    other => other,
                };
                let field = Goal::Piece {
                    piece: PieceId(index),
                    offset: fixup.offset as i64,
                };
                late.push(Late { field, base });
            }
        }
        // A stable sort: fields of one base keep their order.
        late.sort_by_key(|late| late.base);
        late
    }

    /// The block that a goal lies in, if it lies in one.
    pub fn block_of(&self, goal: Goal<'_>, got: Block) -> Option<Block> {
        match goal {
            Goal::Piece { piece, .. } => Some(self.pieces[piece.0].block),
            Goal::Slot(_) | Goal::GotBase => Some(got),
            Goal::Start(block) => Some(block),
            Goal::Absolute(_)
            | Goal::FunctionTable
            | Goal::TableEntry(_)
            | Goal::Qstr(_)
            | Goal::QstrTable => None,
        }
    }
}
