//! Empty: there to have `core` compiled.
#![no_std]
