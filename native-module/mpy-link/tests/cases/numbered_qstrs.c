//# error: numbered_qstrs.o: .text
//# error: mp_native_qstr_table: names strings by their numbers, but which string has which number is not said
extern const unsigned short mp_native_qstr_table[];
extern unsigned short MP_QSTR_bee;

int mpy_init(void) {
    return mp_native_qstr_table[2] + MP_QSTR_bee;
}
