// How bytes reach the emulated board and leave it: the UART of its machine or, on `virt` where QEMU was given one, a
// virtio console, which stands in for boards with native USB: packets, flow control, no line's speed.
//
// Where the machine can, a board that waits for input sleeps, so that it takes none of this computer's time.

#include <stddef.h>
#include <stdint.h>

#include "line.h"

int __real_uart_rx_chr(void);
void __real_uart_tx_strn(const char *text, size_t length);
void __wrap_uart_tx_strn(const char *text, size_t length);

#if defined(QEMU_SOC_VIRT)

// Platform-level interrupt controller, first hart's machine mode.
#define PLIC(offset) (*(volatile uint32_t *)(0x0c000000 + (offset)))
#define PLIC_ENABLE PLIC(0x2000)
#define PLIC_THRESHOLD PLIC(0x200000)
#define PLIC_CLAIM PLIC(0x200004)

#define UART(n) (((volatile uint8_t *)0x10000000)[n])
#define UART_INTERRUPT (10)

// Legacy virtio-mmio (virtio 1.2, 4.2.4); eight slots, of which QEMU uses one.
#define SLOTS (8)
#define QUEUE (8)
#define PAGE (4096)
#define PACKET (512)

typedef struct _descriptor_t {
    uint64_t address;
    uint32_t length;
    uint16_t flags;
    uint16_t next;
} descriptor_t;

typedef struct _queue_t {
    descriptor_t descriptors[QUEUE];
    uint16_t available_flags;
    volatile uint16_t available_index;
    uint16_t available[QUEUE];
    uint16_t available_event;
    // The device's part begins a page.
    uint16_t used_flags __attribute__((aligned(PAGE)));
    volatile uint16_t used_index;
    struct {
        uint32_t id;
        uint32_t length;
    } used[QUEUE];
    uint16_t used_event;
} __attribute__((aligned(PAGE))) queue_t;

static queue_t receiving, sending;
static uint8_t packets[QUEUE][PACKET];
static uint8_t outgoing[PACKET];
static volatile uint32_t *console;
static uint16_t taken_packets;
static uint32_t taken_bytes;
static bool started;

enum {
    MAGIC = 0x00 / 4,
    DEVICE = 0x08 / 4,
    FEATURES = 0x20 / 4,
    PAGE_SIZE = 0x28 / 4,
    QUEUE_SELECTED = 0x30 / 4,
    QUEUE_LENGTH = 0x38 / 4,
    QUEUE_ALIGNMENT = 0x3c / 4,
    QUEUE_PAGE = 0x40 / 4,
    NOTIFY = 0x50 / 4,
    INTERRUPTS = 0x60 / 4,
    ACKNOWLEDGE = 0x64 / 4,
    STATUS = 0x70 / 4,
};

static void set_queue(int number, queue_t *queue) {
    console[QUEUE_SELECTED] = number;
    console[QUEUE_LENGTH] = QUEUE;
    console[QUEUE_ALIGNMENT] = PAGE;
    console[QUEUE_PAGE] = (uint32_t)queue / PAGE;
}

static void offer(queue_t *queue, int number, int descriptor) {
    queue->available[queue->available_index % QUEUE] = descriptor;
    __sync_synchronize();
    queue->available_index += 1;
    __sync_synchronize();
    // Every time the device is told of a buffer costs; to receive there are always some left.
    if (queue == &sending || queue->available_index % (QUEUE / 2) == 0) {
        console[NOTIFY] = number;
    }
}

static void start_console(void) {
    console[STATUS] = 0;
    console[STATUS] = 3; // seen, and there is a driver
    console[FEATURES] = 0;
    console[PAGE_SIZE] = PAGE;
    set_queue(0, &receiving);
    set_queue(1, &sending);
    console[STATUS] = 7; // ready
    sending.available_flags = 1; // no interrupts
    for (int i = 0; i < QUEUE; ++i) {
        receiving.descriptors[i] = (descriptor_t) { (uint32_t)packets[i], PACKET, 2, 0 };
        offer(&receiving, 0, i);
    }
}

void line_start(void) {
    if (started) {
        return;
    }
    started = true;
    int interrupt = UART_INTERRUPT;
    for (int slot = 0; slot < SLOTS; ++slot) {
        volatile uint32_t *device = (volatile uint32_t *)(0x10001000 + slot * 0x1000);
        if (device[MAGIC] == 0x74726976 && device[DEVICE] == 3) {
            console = device;
            interrupt = 1 + slot;
            start_console();
        }
    }
    if (console == NULL) {
        // The port leaves the FIFO off. Its time-out is four characters, here of the fastest line.
        UART(3) = 0x80;
        UART(0) = 1;
        UART(1) = 0;
        UART(3) = 3;
        UART(2) = 0xc1;
        UART(1) = 1;
    }
    // No interrupt is taken, as mstatus enables none; they end `wfi`.
    PLIC(4 * interrupt) = 1;
    PLIC_ENABLE = 1 << interrupt;
    PLIC_THRESHOLD = 0;
    // The port is compiled without the name of the extension that every core with interrupts has.
    __asm volatile (".option push\n.option arch, +zicsr\ncsrs mie, %0\n.option pop" : : "r" (1 << 11));
}

int line_take(void) {
    if (console == NULL) {
        return __real_uart_rx_chr();
    }
    if (taken_packets == receiving.used_index) {
        return -1;
    }
    __sync_synchronize();
    uint32_t id = receiving.used[taken_packets % QUEUE].id;
    int c = packets[id][taken_bytes];
    if (++taken_bytes == receiving.used[taken_packets % QUEUE].length) {
        taken_bytes = 0;
        taken_packets += 1;
        offer(&receiving, 0, id);
    }
    return c;
}

void line_wait(void) {
    // The controller keeps an interrupt until it is claimed and completed.
    if (console != NULL) {
        console[ACKNOWLEDGE] = console[INTERRUPTS];
    }
    PLIC_CLAIM = PLIC_CLAIM;
    bool waiting = console == NULL ? UART(5) & 1 : taken_packets != receiving.used_index;
    if (!waiting) {
        __asm volatile ("wfi");
    }
}

bool line_overruns(void) {
    return console == NULL;
}

void __wrap_uart_tx_strn(const char *text, size_t length) {
    if (console == NULL) {
        __real_uart_tx_strn(text, length);
        return;
    }
    while (length > 0) {
        size_t now = length < PACKET ? length : PACKET;
        for (size_t i = 0; i < now; ++i) {
            outgoing[i] = text[i];
        }
        sending.descriptors[0] = (descriptor_t) { (uint32_t)outgoing, now, 0, 0 };
        offer(&sending, 1, 0);
        while (sending.used_index != sending.available_index) {
        }
        text += now;
        length -= now;
    }
}

#else

void line_start(void) {
}

int line_take(void) {
    return __real_uart_rx_chr();
}

void line_wait(void) {
}

bool line_overruns(void) {
    return true;
}

void __wrap_uart_tx_strn(const char *text, size_t length) {
    __real_uart_tx_strn(text, length);
}

#endif
