//! Catching what Python code raises.
//!
//! MicroPython's `nlr_push` (table entry 32) returns twice, which no Rust function may call. So a few lines of
//! assembly call it: they return twice *to themselves*, keep what they need in registers that `nlr_push` preserves,
//! and return to Rust once. To Rust, `protected` is an ordinary function that says whether something was raised.
//! The Rust frames between the raise and the assembly are skipped, as they are by every raise; the rule that nothing
//! with `Drop` is alive in them holds as ever.
//!
//! Ports that build `nlr_push` on C's setjmp have the first half of it in entry 32 and setjmp itself in entry 49,
//! to be called with the address behind the first two words of the buffer (`nlr_buf_t` of `py/nlr.h`).

#[cfg(not(target_arch = "xtensa"))]
use core::ffi::c_int;
use core::ffi::c_void;
use core::mem::MaybeUninit;

use micropython_sys::MpObj;
#[cfg(not(target_arch = "xtensa"))]
use micropython_sys::fun_table::NlrBuf;

#[cfg(target_arch = "xtensa")]
use crate::catch_xtensa::protected;
use crate::table::table;
use crate::{Error, Obj, Qstr};

/// Words of the largest `nlr_buf_t`: two, then a jmp_buf (38 words on RISC-V with double floats) or the registers
/// (16 on ARM, 14 on RISC-V, 8 on x64), then one.
const NLR_BUF_WORDS: usize = 48;

/// An exception that was caught.
#[derive(Clone, Copy)]
pub struct Exception(Obj);

impl Exception {
    /// The exception object.
    pub fn object(self) -> Obj {
        self.0
    }

    /// True if it is an instance of the class of this name, a builtin or a global of the module, or of a subclass.
    /// Raises NameError if there is no such class.
    pub fn is(self, class: Qstr) -> bool {
        self.is_a(Obj::global(class))
    }

    /// True if it is an instance of the class or of a subclass. Raises TypeError if that is no class.
    pub fn is_a(self, class: Obj) -> bool {
        self.0.matches(class)
    }
}

impl From<Exception> for Error {
    fn from(exception: Exception) -> Error {
        Error::instance(exception.0)
    }
}

/// Runs `f` and returns what it returns, or the exception that Python code raised in it. The current globals are as
/// before.
///
/// The exception jumps past the frames of `f` and of what it called: nothing with `Drop` may be alive in them then.
/// What `f` itself wrote to variables around it is there. What a function that `f` called wrote through a `&mut`
/// parameter may not be: the compiler may keep such writes back until the function returns, which it does not; use
/// a [`Cell`](core::cell::Cell) there. (The `&mut self` of a `#[class]` is exempt, the macro sees to it.)
pub fn catch<R>(mut f: impl FnMut() -> R) -> core::result::Result<R, Exception> {
    struct Work<'f, F, R> {
        /// By reference, so that what `f` writes is written behind a pointer that could be anybody's.
        f: &'f mut F,
        result: MaybeUninit<R>,
    }
    unsafe extern "C" fn run<R, F: FnMut() -> R>(work: *mut c_void) {
        // SAFETY: `protected_call` hands over what it was given.
        let work = unsafe { &mut *work.cast::<Work<'_, F, R>>() };
        work.result.write((work.f)());
    }
    fn call<R, F: FnMut() -> R>(f: &mut F) -> core::result::Result<R, Exception> {
        let mut work = Work {
            f,
            result: MaybeUninit::uninit(),
        };
        // SAFETY: `run` gets the work that it is made for.
        unsafe { protected_call(run::<R, F>, (&raw mut work).cast()) }.map_err(Exception)?;
        // SAFETY: `run` came to its end, so the result is written.
        Ok(unsafe { work.result.assume_init() })
    }
    call(&mut f)
}

/// Calls `f(data)`; an exception that it raises comes back as the error.
///
/// # Safety
/// `f` must be sound to call with `data`.
#[inline(never)]
pub(crate) unsafe fn protected_call(
    f: unsafe extern "C" fn(*mut c_void),
    data: *mut c_void,
) -> core::result::Result<(), Obj> {
    let mut buffer = MaybeUninit::<[usize; NLR_BUF_WORDS]>::uninit();
    let buffer = buffer.as_mut_ptr();
    let functions = table();
    let globals = crate::import::current_globals();
    // SAFETY: the buffer is large enough and outlives the call, the functions are the interpreter's own, the
    // rest is as the caller promises. EXCEPTION: none gets past `protected`.
    let raised = unsafe {
        protected(
            buffer.cast(),
            f,
            data,
            functions.nlr_push,
            functions.nlr_pop,
            functions.setjmp_,
        )
    };
    if raised == 0 {
        return Ok(());
    }
    crate::import::restore_globals(globals);
    // SAFETY: the interpreter wrote the exception to the second word of the buffer.
    Err(Obj(MpObj(unsafe { (*buffer)[1] } as *mut c_void)))
}

/// Calls `f(data)` between `push(buffer)` and `pop()`. 0 if it returned, else it raised.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn protected(
    buffer: *mut NlrBuf,
    f: unsafe extern "C" fn(*mut c_void),
    data: *mut c_void,
    push: unsafe extern "C" fn(*mut NlrBuf) -> core::ffi::c_uint,
    pop: unsafe extern "C" fn(),
    setjmp: *const c_void,
) -> c_int {
    core::arch::naked_asm!(
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "mov rbx, rsi",
        "mov r12, rdx",
        "mov r13, r8",
        "mov r14, rdi",
        "mov rbp, r9",
        "call rcx",
        "test rbp, rbp",
        "jz 2f",
        "lea rdi, [r14 + 16]",
        "call rbp",
        "2:",
        "test eax, eax",
        "jnz 3f",
        "mov rdi, r12",
        "call rbx",
        "call r13",
        "xor eax, eax",
        "3:",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
    )
}

/// As for x64; the arguments are on the stack.
#[cfg(target_arch = "x86")]
#[unsafe(naked)]
unsafe extern "C" fn protected(
    buffer: *mut NlrBuf,
    f: unsafe extern "C" fn(*mut c_void),
    data: *mut c_void,
    push: unsafe extern "C" fn(*mut NlrBuf) -> core::ffi::c_uint,
    pop: unsafe extern "C" fn(),
    setjmp: *const c_void,
) -> c_int {
    core::arch::naked_asm!(
        "push ebp",
        "push ebx",
        "push esi",
        "push edi",
        "sub esp, 12",
        "mov ebx, [esp + 36]",
        "mov esi, [esp + 40]",
        "mov edi, [esp + 48]",
        "mov ebp, [esp + 52]",
        "mov eax, [esp + 32]",
        "mov [esp], eax",
        "call [esp + 44]",
        "test ebp, ebp",
        "jz 2f",
        "mov eax, [esp + 32]",
        "add eax, 8",
        "mov [esp], eax",
        "call ebp",
        "2:",
        "test eax, eax",
        "jnz 3f",
        "mov [esp], esi",
        "call ebx",
        "call edi",
        "xor eax, eax",
        "3:",
        "add esp, 12",
        "pop edi",
        "pop esi",
        "pop ebx",
        "pop ebp",
        "ret",
    )
}

/// As for x64; the last two arguments are on the stack. Instructions that ARMv6-M has too.
#[cfg(target_arch = "arm")]
#[unsafe(naked)]
unsafe extern "C" fn protected(
    buffer: *mut NlrBuf,
    f: unsafe extern "C" fn(*mut c_void),
    data: *mut c_void,
    push: unsafe extern "C" fn(*mut NlrBuf) -> core::ffi::c_uint,
    pop: unsafe extern "C" fn(),
    setjmp: *const c_void,
) -> c_int {
    core::arch::naked_asm!(
        "push {{r3, r4, r5, r6, r7, lr}}",
        "mov r4, r1",
        "mov r5, r2",
        "ldr r6, [sp, #24]",
        "ldr r7, [sp, #28]",
        "str r0, [sp]",
        "blx r3",
        "cmp r7, #0",
        "beq 2f",
        "ldr r0, [sp]",
        "adds r0, r0, #8",
        "blx r7",
        "2:",
        "cmp r0, #0",
        "bne 3f",
        "mov r0, r5",
        "blx r4",
        "blx r6",
        "movs r0, #0",
        "3:",
        "pop {{r3, r4, r5, r6, r7, pc}}",
    )
}

/// As for x64; `STORE`, `LOAD` and the size of a word are the width's.
#[cfg(any(target_arch = "riscv32", target_arch = "riscv64"))]
macro_rules! riscv {
    ($store:literal, $load:literal, $word:literal) => {
        #[unsafe(naked)]
        unsafe extern "C" fn protected(
            buffer: *mut NlrBuf,
            f: unsafe extern "C" fn(*mut c_void),
            data: *mut c_void,
            push: unsafe extern "C" fn(*mut NlrBuf) -> core::ffi::c_uint,
            pop: unsafe extern "C" fn(),
            setjmp: *const c_void,
        ) -> c_int {
            core::arch::naked_asm!(
                "addi sp, sp, -8*{word}",
                concat!($store, " ra, 7*{word}(sp)"),
                concat!($store, " s0, 6*{word}(sp)"),
                concat!($store, " s1, 5*{word}(sp)"),
                concat!($store, " s2, 4*{word}(sp)"),
                concat!($store, " s3, 3*{word}(sp)"),
                concat!($store, " s4, 2*{word}(sp)"),
                "mv s0, a1",
                "mv s1, a2",
                "mv s2, a4",
                "mv s3, a5",
                "mv s4, a0",
                "jalr a3",
                "beqz s3, 2f",
                "addi a0, s4, 2*{word}",
                "jalr s3",
                "2:",
                "bnez a0, 3f",
                "mv a0, s1",
                "jalr s0",
                "jalr s2",
                "li a0, 0",
                "3:",
                concat!($load, " ra, 7*{word}(sp)"),
                concat!($load, " s0, 6*{word}(sp)"),
                concat!($load, " s1, 5*{word}(sp)"),
                concat!($load, " s2, 4*{word}(sp)"),
                concat!($load, " s3, 3*{word}(sp)"),
                concat!($load, " s4, 2*{word}(sp)"),
                "addi sp, sp, 8*{word}",
                "ret",
                word = const $word,
            )
        }
    };
}

#[cfg(target_arch = "riscv32")]
riscv!("sw", "lw", 4);
#[cfg(target_arch = "riscv64")]
riscv!("sd", "ld", 8);
