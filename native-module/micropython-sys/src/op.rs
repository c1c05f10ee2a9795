//! Decides the numbers of unary and binary operations (`py/runtime0.h`), for entries 17 and 18 of the table.

use crate::layout::abi_consts;

abi_consts! {
    /// `mp_unary_op_t`.
    UNARY_OPS: u32 {
        /// Positive.
        MP_UNARY_OP_POSITIVE = 0,
        /// Negative.
        MP_UNARY_OP_NEGATIVE = 1,
        /// Invert.
        MP_UNARY_OP_INVERT = 2,
        /// Not.
        MP_UNARY_OP_NOT = 3,
        /// Bool.
        MP_UNARY_OP_BOOL = 4,
        /// Len.
        MP_UNARY_OP_LEN = 5,
        /// Hash.
        MP_UNARY_OP_HASH = 6,
        /// Abs.
        MP_UNARY_OP_ABS = 7,
        /// Int maybe.
        MP_UNARY_OP_INT_MAYBE = 8,
        /// Float maybe.
        MP_UNARY_OP_FLOAT_MAYBE = 9,
        /// Complex maybe.
        MP_UNARY_OP_COMPLEX_MAYBE = 10,
        /// Sizeof.
        MP_UNARY_OP_SIZEOF = 11,
    }
}

abi_consts! {
    /// `mp_binary_op_t`.
    BINARY_OPS: u32 {
        /// Less.
        MP_BINARY_OP_LESS = 0,
        /// More.
        MP_BINARY_OP_MORE = 1,
        /// Equal.
        MP_BINARY_OP_EQUAL = 2,
        /// Less equal.
        MP_BINARY_OP_LESS_EQUAL = 3,
        /// More equal.
        MP_BINARY_OP_MORE_EQUAL = 4,
        /// Not equal.
        MP_BINARY_OP_NOT_EQUAL = 5,
        /// In.
        MP_BINARY_OP_IN = 6,
        /// Is.
        MP_BINARY_OP_IS = 7,
        /// Exception match.
        MP_BINARY_OP_EXCEPTION_MATCH = 8,
        /// Inplace or.
        MP_BINARY_OP_INPLACE_OR = 9,
        /// Inplace xor.
        MP_BINARY_OP_INPLACE_XOR = 10,
        /// Inplace and.
        MP_BINARY_OP_INPLACE_AND = 11,
        /// Inplace lshift.
        MP_BINARY_OP_INPLACE_LSHIFT = 12,
        /// Inplace rshift.
        MP_BINARY_OP_INPLACE_RSHIFT = 13,
        /// Inplace add.
        MP_BINARY_OP_INPLACE_ADD = 14,
        /// Inplace subtract.
        MP_BINARY_OP_INPLACE_SUBTRACT = 15,
        /// Inplace multiply.
        MP_BINARY_OP_INPLACE_MULTIPLY = 16,
        /// Inplace mat multiply.
        MP_BINARY_OP_INPLACE_MAT_MULTIPLY = 17,
        /// Inplace floor divide.
        MP_BINARY_OP_INPLACE_FLOOR_DIVIDE = 18,
        /// Inplace true divide.
        MP_BINARY_OP_INPLACE_TRUE_DIVIDE = 19,
        /// Inplace modulo.
        MP_BINARY_OP_INPLACE_MODULO = 20,
        /// Inplace power.
        MP_BINARY_OP_INPLACE_POWER = 21,
        /// Or.
        MP_BINARY_OP_OR = 22,
        /// Xor.
        MP_BINARY_OP_XOR = 23,
        /// And.
        MP_BINARY_OP_AND = 24,
        /// Lshift.
        MP_BINARY_OP_LSHIFT = 25,
        /// Rshift.
        MP_BINARY_OP_RSHIFT = 26,
        /// Add.
        MP_BINARY_OP_ADD = 27,
        /// Subtract.
        MP_BINARY_OP_SUBTRACT = 28,
        /// Multiply.
        MP_BINARY_OP_MULTIPLY = 29,
        /// Mat multiply.
        MP_BINARY_OP_MAT_MULTIPLY = 30,
        /// Floor divide.
        MP_BINARY_OP_FLOOR_DIVIDE = 31,
        /// True divide.
        MP_BINARY_OP_TRUE_DIVIDE = 32,
        /// Modulo.
        MP_BINARY_OP_MODULO = 33,
        /// Power.
        MP_BINARY_OP_POWER = 34,
        /// Divmod.
        MP_BINARY_OP_DIVMOD = 35,
        /// Contains.
        MP_BINARY_OP_CONTAINS = 36,
        /// Reverse or.
        MP_BINARY_OP_REVERSE_OR = 37,
        /// Reverse xor.
        MP_BINARY_OP_REVERSE_XOR = 38,
        /// Reverse and.
        MP_BINARY_OP_REVERSE_AND = 39,
        /// Reverse lshift.
        MP_BINARY_OP_REVERSE_LSHIFT = 40,
        /// Reverse rshift.
        MP_BINARY_OP_REVERSE_RSHIFT = 41,
        /// Reverse add.
        MP_BINARY_OP_REVERSE_ADD = 42,
        /// Reverse subtract.
        MP_BINARY_OP_REVERSE_SUBTRACT = 43,
        /// Reverse multiply.
        MP_BINARY_OP_REVERSE_MULTIPLY = 44,
        /// Reverse mat multiply.
        MP_BINARY_OP_REVERSE_MAT_MULTIPLY = 45,
        /// Reverse floor divide.
        MP_BINARY_OP_REVERSE_FLOOR_DIVIDE = 46,
        /// Reverse true divide.
        MP_BINARY_OP_REVERSE_TRUE_DIVIDE = 47,
        /// Reverse modulo.
        MP_BINARY_OP_REVERSE_MODULO = 48,
        /// Reverse power.
        MP_BINARY_OP_REVERSE_POWER = 49,
        /// Not in.
        MP_BINARY_OP_NOT_IN = 50,
        /// Is not.
        MP_BINARY_OP_IS_NOT = 51,
    }
}
