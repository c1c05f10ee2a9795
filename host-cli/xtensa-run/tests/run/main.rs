//! Modules for Xtensa, run on real MicroPython in qemu-xtensa: the linker's own cases, and the umqtt
//! module against Mosquitto.

mod cases;
mod natmod;
mod support;
mod umqtt;
