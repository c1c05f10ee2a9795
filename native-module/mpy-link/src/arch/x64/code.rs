//! How x64 code reaches what does not move together with it.
//!
//! An instruction names data by its distance. The distance to another block is unknown until the
//! module is loaded, and the loader can only fill in whole addresses. So an instruction that names
//! data in another block directly (a local static, as compilers do under -fPIC too) is changed:
//!
//! * `lea x(%rip), %r` becomes `mov slot(%rip), %r`, where the slot holds x's address.
//! * A call or jump goes to a stub, `jmp *slot(%rip)`.
//! * Everything else is moved out of line: its place takes a jump to a *detour*, which loads the
//!   address from the slot into a register that the instruction does not use (saving it, and
//!   stepping over the red zone; no flag changes), executes the instruction with that register as
//!   its base, and jumps back. Such instructions have at least six bytes, a jump five.
//!
//! Conversely, a slot is not used where the distance turns out to be known: `mov slot(%rip), %r`
//! becomes `lea`, a call or jump through a slot a direct one.
//!
//! A change needs the instruction's exact boundaries. Code is decoded from the last named start
//! before it, and believed only if every relocation on the way stands where the decoded instruction
//! has a field.

use std::borrow::Cow;
use std::collections::HashMap;

use iced_x86::{
    Code, Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory,
    InstructionInfoOptions, Mnemonic, OpAccess, OpKind, Register,
};

use crate::arch::{CodeSection, PlanError, Reference};
use crate::piece::{Block, Cause, Fixup, Formula, Goal, Group, Piece, PieceId, Pieces};
use crate::references::plan_plain;
use crate::relocation::{Field, RelocationKind};

const DISTANCE: Field = Field::signed(4);

/// An instruction in a section.
#[derive(Clone, Copy)]
struct At {
    start: usize,
    /// Behind the last byte.
    end: usize,
    instruction: Instruction,
}

pub(super) fn plan<'a>(
    pieces: &mut Pieces<'a>,
    piece: PieceId,
    code: &CodeSection<'_, 'a>,
) -> Result<Vec<Fixup<'a>>, PlanError> {
    let wanted = code
        .references
        .iter()
        .any(|reference| changes_code(reference));
    let fields = if wanted { decode(code) } else { HashMap::new() };
    let mut editor = Editor {
        pieces,
        piece,
        bytes: Cow::Borrowed(code.bytes),
        fixups: Vec::new(),
    };
    for reference in code.references {
        let at = fields.get(&reference.offset).copied();
        editor.plan(reference, at)?;
    }
    let Editor { bytes, fixups, .. } = editor;
    if let Cow::Owned(bytes) = bytes {
        pieces.pieces[piece.0].data = Cow::Owned(bytes);
    }
    Ok(fixups)
}

fn changes_code(reference: &Reference<'_>) -> bool {
    match reference.kind {
        RelocationKind::GotSlotRelative => reference.near,
        RelocationKind::Relative | RelocationKind::Branch => !reference.near,
        _ => false,
    }
}

/// By offset of a relocation, the instruction that has its distance field there.
fn decode(code: &CodeSection<'_, '_>) -> HashMap<u64, At> {
    let mut found = HashMap::new();
    let mut bounds: Vec<usize> = vec![0];
    let inside = code
        .starts
        .iter()
        .filter_map(|start| usize::try_from(*start).ok());
    bounds.extend(inside.filter(|start| (1..code.bytes.len()).contains(start)));
    bounds.push(code.bytes.len());
    for bound in bounds.windows(2) {
        let (start, end) = (bound[0], bound[1]);
        let relocations: Vec<&Reference<'_>> = code
            .references
            .iter()
            .filter(|reference| (start as u64..end as u64).contains(&reference.offset))
            .collect();
        if relocations.iter().any(|reference| changes_code(reference)) {
            decode_run(&code.bytes[..end], start, &relocations, &mut found);
        }
    }
    found
}

/// Decodes from `start` to the end of `bytes`; enters nothing unless all relocations fit.
fn decode_run(
    bytes: &[u8],
    start: usize,
    relocations: &[&Reference<'_>],
    found: &mut HashMap<u64, At>,
) {
    let mut decoder = Decoder::with_ip(64, &bytes[start..], start as u64, DecoderOptions::NONE);
    let mut waiting = relocations.iter().peekable();
    let mut run = Vec::new();
    while decoder.can_decode() && waiting.peek().is_some() {
        let instruction = decoder.decode();
        if instruction.is_invalid() {
            return;
        }
        let offsets = decoder.get_constant_offsets(&instruction);
        let from = instruction.ip();
        let at = At {
            start: from as usize,
            end: instruction.next_ip() as usize,
            instruction,
        };
        while let Some(reference) =
            waiting.next_if(|reference| reference.offset < instruction.next_ip())
        {
            let inside = reference.offset.wrapping_sub(from);
            let displacement =
                offsets.has_displacement() && inside == offsets.displacement_offset() as u64;
            let immediate = offsets.has_immediate() && inside == offsets.immediate_offset() as u64;
            if displacement && instruction.is_ip_rel_memory_operand()
                || immediate && is_branch(&instruction)
            {
                run.push((reference.offset, at));
            } else if !displacement && !immediate {
                return;
            }
        }
    }
    if waiting.peek().is_none() {
        found.extend(run);
    }
}

fn is_branch(instruction: &Instruction) -> bool {
    matches!(
        instruction.op0_kind(),
        OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64
    )
}

struct Editor<'e, 'a> {
    pieces: &'e mut Pieces<'a>,
    piece: PieceId,
    bytes: Cow<'a, [u8]>,
    fixups: Vec<Fixup<'a>>,
}

impl<'a> Editor<'_, 'a> {
    fn plan(&mut self, reference: &Reference<'a>, at: Option<At>) -> Result<(), PlanError> {
        let direct = match reference.kind {
            RelocationKind::GotSlotRelative if reference.near => {
                at.is_some_and(|at| self.without_slot(reference, &at))
            }
            RelocationKind::Branch if !reference.near => {
                self.through_stub(reference);
                true
            }
            RelocationKind::Relative if !reference.near => {
                let at = at.ok_or_else(|| PlanError {
                    cause: reference.cause,
                    problem: "refers directly to data whose distance is only known after loading, from code whose instructions cannot be told; compile with -C relocation-model=pic (rustc) or -fPIC (gcc), or reach it through @GOTPCREL in assembly".to_owned(),
                })?;
                self.far(reference, &at)?;
                true
            }
            _ => false,
        };
        if !direct {
            let fixup = plan_plain(self.pieces, reference)?;
            self.fixups.push(fixup);
        }
        Ok(())
    }

    fn fixup(&mut self, offset: usize, goal: Goal<'a>, addend: i64, cause: Cause) {
        self.fixups.push(Fixup {
            offset: offset as u64,
            field: DISTANCE,
            formula: Formula::Relative,
            goal,
            addend,
            cause,
        });
    }

    /// Changes an instruction that reads a slot so that it needs none. False if it is not one of
    /// those for which that is possible.
    fn without_slot(&mut self, reference: &Reference<'a>, at: &At) -> bool {
        let field = reference.offset as usize;
        // Only the slot's own address read by an instruction that ends behind the field.
        if reference.addend != -4 || field + 4 != at.end || field < at.start + 2 {
            return false;
        }
        match at.instruction.code() {
            Code::Mov_r64_rm64 => {
                self.bytes.to_mut()[field - 2] = 0x8d;
                self.fixup(field, reference.goal, -4, reference.cause);
            }
            // With nothing in front, the call keeps its length by an address-size prefix, which has
            // no effect on it.
            Code::Call_rm64 if at.start + 2 == field => {
                self.bytes.to_mut()[field - 2..field].copy_from_slice(&[0x67, 0xe8]);
                self.fixup(field, reference.goal, -4, reference.cause);
            }
            Code::Jmp_rm64 if at.start + 2 == field => {
                let bytes = self.bytes.to_mut();
                bytes[field - 2] = 0xe9;
                bytes[field + 3] = 0x90;
                self.fixup(field - 1, reference.goal, -4, reference.cause);
            }
            _ => return false,
        }
        true
    }

    fn through_stub(&mut self, reference: &Reference<'a>) {
        let cause = reference.cause;
        let goal = reference.goal;
        let stub = self.pieces.stub(goal, |pieces| {
            let slot = pieces.slot(goal, 0, cause);
            let mut stub = Detour::new(format!("(stub for {})", cause.relocation), cause);
            // jmp *slot(%rip)
            stub.put(&[0xff, 0x25]);
            stub.put_distance(Goal::Slot(slot));
            stub.into_piece()
        });
        let goal = Goal::Piece {
            piece: stub,
            offset: 0,
        };
        self.fixup(reference.offset as usize, goal, reference.addend, cause);
    }

    /// A direct reference to something in another block.
    fn far(&mut self, reference: &Reference<'a>, at: &At) -> Result<(), PlanError> {
        if reference.field != DISTANCE {
            return Err(PlanError {
                cause: reference.cause,
                problem: "a short jump to what is only known after loading; use one with 32 bits"
                    .to_owned(),
            });
        }
        if is_branch(&at.instruction) {
            self.through_stub(reference);
            return Ok(());
        }
        let field = reference.offset as usize;
        // What the instruction refers to: its distance counts from the instruction's end.
        let addend = reference.addend.wrapping_add((at.end - field) as i64);
        let slot = self.pieces.slot(reference.goal, addend, reference.cause);
        if at.instruction.code() == Code::Lea_r64_m {
            self.bytes.to_mut()[field - 2] = 0x8b;
            self.fixup(field, Goal::Slot(slot), -4, reference.cause);
            return Ok(());
        }
        let detour = self.detour(reference, at, slot)?;
        let detour = Goal::Piece {
            piece: self.pieces.add(detour),
            offset: 0,
        };
        let call = at.instruction.mnemonic() == Mnemonic::Call;
        let bytes = &mut self.bytes.to_mut()[at.start..at.end];
        // What is left of the instruction is never reached by the jump's fall-through; a call
        // returns there.
        bytes.fill(0x90);
        bytes[0] = if call { 0xe8 } else { 0xe9 };
        self.fixup(at.start + 1, detour, -4, reference.cause);
        Ok(())
    }

    fn detour(
        &mut self,
        reference: &Reference<'a>,
        at: &At,
        slot: crate::piece::SlotId,
    ) -> Result<Piece<'a>, PlanError> {
        let refuse = |why: &str| PlanError {
            cause: reference.cause,
            problem: format!(
                "the instruction {:?} refers directly to data whose distance is only known after loading, and {why}; load the address with lea first",
                at.instruction.mnemonic()
            ),
        };
        let slot = Goal::Slot(slot);
        let back = Goal::Piece {
            piece: self.piece,
            offset: at.end as i64,
        };
        let mut detour = Detour::new(
            format!("(detour for {:?})", at.instruction.mnemonic()),
            reference.cause,
        );
        if at.end - at.start < 5 {
            return Err(refuse("it is too short to be replaced"));
        }
        if at.instruction.has_segment_prefix() {
            return Err(refuse("it goes through a segment register"));
        }
        match at.instruction.code() {
            // The target is put on the stack and taken by ret, so that no register changes. For a
            // call, the return address is there already.
            Code::Jmp_rm64 | Code::Call_rm64 => {
                detour.put(STEP_OVER_RED_ZONE);
                detour.put(&[0x50, 0x50]); // push %rax twice: room for the target, and %rax itself
                detour.put(&[0x48, 0x8b, 0x05]); // mov slot(%rip), %rax
                detour.put_distance(slot);
                detour.put(&[0x48, 0x8b, 0x00]); // mov (%rax), %rax
                detour.put(&[0x48, 0x89, 0x44, 0x24, 0x08]); // mov %rax, 8(%rsp)
                detour.put(&[0x58]); // pop %rax
                detour.put(&[0xc2, 0x80, 0x00]); // ret $128
                return Ok(detour.into_piece());
            }
            Code::Push_rm64 => {
                detour.put(&[0x48, 0x8d, 0x64, 0x24, 0xf8]); // lea -8(%rsp), %rsp
                detour.put(STEP_OVER_RED_ZONE);
                detour.put(&[0x50]); // push %rax
                detour.put(&[0x48, 0x8b, 0x05]); // mov slot(%rip), %rax
                detour.put_distance(slot);
                detour.put(&[0x48, 0x8b, 0x00]); // mov (%rax), %rax
                detour.put(&[0x48, 0x89, 0x84, 0x24, 0x88, 0, 0, 0]); // mov %rax, 136(%rsp)
                detour.put(&[0x58]); // pop %rax
                detour.put(STEP_BACK);
                detour.put_jump(back);
                return Ok(detour.into_piece());
            }
            _ => {}
        }
        if at.instruction.flow_control() != FlowControl::Next {
            return Err(refuse("it changes the flow of control"));
        }
        let used = used_registers(&at.instruction);
        if used.contains(&Register::RSP) {
            return Err(refuse("it uses the stack pointer"));
        }
        let own = loaded_register(&at.instruction);
        let scratch = own
            .or_else(|| {
                SCRATCH
                    .into_iter()
                    .find(|(register, _)| !used.contains(register))
            })
            .ok_or_else(|| refuse("it leaves no register free"))?;
        let based = with_base(
            self.bytes.get(at.start..at.end).unwrap_or_default(),
            at,
            reference,
            scratch,
        )
        .ok_or_else(|| refuse("it cannot take its address from a register"))?;
        if own.is_none() {
            detour.put(STEP_OVER_RED_ZONE);
            detour.put(&[0x50 + scratch.1]); // push scratch
        }
        detour.put(&[0x48, 0x8b, 0x05 | scratch.1 << 3]); // mov slot(%rip), scratch
        detour.put_distance(slot);
        detour.put(&based);
        if own.is_none() {
            detour.put(&[0x58 + scratch.1]); // pop scratch
            detour.put(STEP_BACK);
        }
        detour.put_jump(back);
        Ok(detour.into_piece())
    }
}

/// `lea -128(%rsp), %rsp`: the 128 bytes below the stack pointer belong to the function
/// (psABI, 3.2.2). Unlike `sub`, it changes no flag.
const STEP_OVER_RED_ZONE: &[u8] = &[0x48, 0x8d, 0x64, 0x24, 0x80];
/// `lea 128(%rsp), %rsp`.
const STEP_BACK: &[u8] = &[0x48, 0x8d, 0xa4, 0x24, 0x80, 0, 0, 0];

/// Registers that can be a base without a prefix or a SIB byte, and their numbers.
const SCRATCH: [(Register, u8); 7] = [
    (Register::RCX, 1),
    (Register::RDX, 2),
    (Register::RSI, 6),
    (Register::RDI, 7),
    (Register::RAX, 0),
    (Register::RBX, 3),
    (Register::RBP, 5),
];

/// Everything the instruction reads or writes, as 64-bit registers.
fn used_registers(instruction: &Instruction) -> Vec<Register> {
    let mut factory = InstructionInfoFactory::new();
    let info = factory.info_options(instruction, InstructionInfoOptions::NO_MEMORY_USAGE);
    let named = (0..instruction.op_count()).map(|operand| instruction.op_register(operand));
    info.used_registers()
        .iter()
        .map(|used| used.register())
        .chain(named)
        .map(Register::full_register)
        .collect()
}

/// The register that a plain load overwrites without reading it, if it can be its own base.
fn loaded_register(instruction: &Instruction) -> Option<(Register, u8)> {
    let load = matches!(
        instruction.mnemonic(),
        Mnemonic::Mov | Mnemonic::Movzx | Mnemonic::Movsx | Mnemonic::Movsxd
    );
    if !load
        || instruction.op0_kind() != OpKind::Register
        || instruction.op1_kind() != OpKind::Memory
    {
        return None;
    }
    let mut factory = InstructionInfoFactory::new();
    let info = factory.info(instruction);
    let register = instruction.op0_register();
    // 8- and 16-bit loads keep the register's upper part and so read it.
    let whole = register.is_gpr32() || register.is_gpr64();
    if info.op0_access() != OpAccess::Write || !whole {
        return None;
    }
    SCRATCH
        .into_iter()
        .find(|(scratch, _)| *scratch == register.full_register())
}

/// The instruction with `(base)` in place of its distance from itself. The encoding of both differs
/// only in the byte before the distance: no displacement relative to the instruction pointer, but a
/// 32-bit one (0, since the slot's address is exact) relative to the base. Decoded again to be sure.
fn with_base(
    bytes: &[u8],
    at: &At,
    reference: &Reference<'_>,
    base: (Register, u8),
) -> Option<Vec<u8>> {
    let field = (reference.offset as usize).checked_sub(at.start)?;
    let mut changed = bytes.to_vec();
    let modrm = changed.get_mut(field.checked_sub(1)?)?;
    *modrm = 0x80 | *modrm & 0x38 | base.1;
    changed.get_mut(field..field + 4)?.fill(0);
    let again = Decoder::with_ip(64, &changed, at.start as u64, DecoderOptions::NONE).decode();
    let same = again.code() == at.instruction.code()
        && again.len() == changed.len()
        && again.memory_base() == base.0
        && again.memory_index() == Register::None
        && again.memory_displacement64() == 0
        && (0..again.op_count()).all(|operand| {
            again.op_kind(operand) == at.instruction.op_kind(operand)
                && again.op_register(operand) == at.instruction.op_register(operand)
        })
        && again.has_lock_prefix() == at.instruction.has_lock_prefix();
    same.then_some(changed)
}

/// Code of the linker's own making.
struct Detour<'a> {
    name: String,
    bytes: Vec<u8>,
    fixups: Vec<Fixup<'a>>,
    cause: Cause,
}

impl<'a> Detour<'a> {
    fn new(name: String, cause: Cause) -> Detour<'a> {
        Detour {
            name,
            bytes: Vec::new(),
            fixups: Vec::new(),
            cause,
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// Four bytes that end an instruction: the distance from there to `goal`.
    fn put_distance(&mut self, goal: Goal<'a>) {
        self.fixups.push(Fixup {
            offset: self.bytes.len() as u64,
            field: DISTANCE,
            formula: Formula::Relative,
            goal,
            addend: -4,
            cause: self.cause,
        });
        self.bytes.extend([0; 4]);
    }

    fn put_jump(&mut self, goal: Goal<'a>) {
        self.put(&[0xe9]);
        self.put_distance(goal);
    }

    fn into_piece(self) -> Piece<'a> {
        Piece {
            name: self.name,
            block: Block::Text,
            group: Group::Code,
            size: self.bytes.len() as u64,
            data: Cow::Owned(self.bytes),
            align: 4,
            fixups: self.fixups,
            section: None,
        }
    }
}

/// Calls `first` in order, then jumps to `entry`. The entry's four arguments are in registers; they
/// are kept on the stack meanwhile, with one word more so that the stack stays aligned to 16 bytes.
pub(super) fn entry<'a>(first: &[Goal<'a>], entry: Goal<'a>, cause: Cause) -> Piece<'a> {
    let mut code = Detour::new("(entry)".to_owned(), cause);
    if !first.is_empty() {
        code.put(&[0x57, 0x56, 0x52, 0x51, 0x50]); // push %rdi, %rsi, %rdx, %rcx, %rax
        for function in first {
            code.put(&[0x31, 0xff, 0x31, 0xf6, 0x31, 0xd2]); // no arguments, no environment: 0, 0, 0
            code.put(&[0xe8]);
            code.put_distance(*function);
        }
        code.put(&[0x58, 0x59, 0x5a, 0x5e, 0x5f]);
    }
    code.put_jump(entry);
    let mut piece = code.into_piece();
    piece.group = Group::Entry;
    piece
}
