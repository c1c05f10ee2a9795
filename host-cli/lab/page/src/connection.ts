//! Decides how the page stays in touch with its server: one WebSocket, opened again and again while it is lost.

import { decode, type PageMessage, type ServerMessage } from "./protocol";

/** Milliseconds before the first new attempt, and at most between two. */
const FIRST_WAIT = 300;
const LONGEST_WAIT = 3000;

export class Connection {
  private socket: WebSocket | undefined;
  private wait = FIRST_WAIT;

  constructor(
    private readonly onMessage: (message: ServerMessage) => void,
    private readonly onState: (connected: boolean) => void,
  ) {}

  open(): void {
    const address = new URL("ws", document.baseURI);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address);
    this.socket = socket;
    socket.onopen = () => {
      this.wait = FIRST_WAIT;
      this.onState(true);
    };
    socket.onmessage = (event: MessageEvent<unknown>) => {
      const message = typeof event.data === "string" ? decode(event.data) : undefined;
      if (message) {
        this.onMessage(message);
      }
    };
    // An error is always followed by a close.
    socket.onclose = () => {
      this.onState(false);
      setTimeout(() => this.open(), this.wait);
      this.wait = Math.min(this.wait * 2, LONGEST_WAIT);
    };
  }

  /** False where nobody is there to get the message. */
  send(message: PageMessage): boolean {
    if (this.socket?.readyState !== WebSocket.OPEN) {
      return false;
    }
    this.socket.send(JSON.stringify(message));
    return true;
  }
}
