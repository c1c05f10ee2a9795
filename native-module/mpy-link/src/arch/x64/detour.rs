//! Code of the linker's own making on x64: detours, stubs and the entry.
//!
//! Whatever runs here must leave every register, flag and byte of the stack that the program can see
//! as the program expects it.

use iced_x86::{
    Code, Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory,
    InstructionInfoOptions, Mnemonic, OpAccess, OpKind, Register,
};

use super::code::{At, DISTANCE};
use crate::arch::{PlanError, Reference};
use crate::piece::{Cause, Fixup, Formula, Goal, Group, Piece, SlotId};

/// The piece that executes the instruction with its address taken from `slot`, and then goes `back`.
/// `bytes` are the instruction's own.
pub(super) fn detour<'a>(
    bytes: &[u8],
    at: &At,
    reference: &Reference<'a>,
    slot: SlotId,
    back: Goal<'a>,
) -> Result<Piece<'a>, PlanError> {
    let refuse = |why: &str| PlanError {
        cause: reference.cause,
        problem: format!(
            "the instruction {:?} refers directly to data whose distance is only known after loading, and {why}; load the address with lea first",
            at.instruction.mnemonic()
        ),
    };
    let slot = Goal::Slot(slot);
    let mut detour = Detour::new(
        format!("(detour for {:?})", at.instruction.mnemonic()),
        reference.cause,
    );
    if at.end - at.start < 5 {
        return Err(refuse("it is too short to be replaced"));
    }
    if !at.alone {
        return Err(refuse("it carries a second relocation"));
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
    let based = with_base(bytes, at, reference, scratch)
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
        Piece::made(self.name, Group::Code, self.bytes, self.fixups)
    }
}

/// The code that jumps to what `slot` holds.
pub(super) fn stub<'a>(slot: SlotId, cause: Cause) -> Piece<'a> {
    let mut stub = Detour::new(format!("(stub for {})", cause.relocation), cause);
    stub.put(&[0xff, 0x25]); // jmp *slot(%rip)
    stub.put_distance(Goal::Slot(slot));
    stub.into_piece()
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
