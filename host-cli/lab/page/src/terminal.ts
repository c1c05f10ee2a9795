//! Decides what a board's output looks like as lines of text: what carriage returns, backspaces and a terminal's escape
//! sequences do to a line, and how many lines are kept.

import { Ring } from "./ring";

/** Lines that are kept, and characters of one line; a longer one goes on in the next. */
const LINES = 2000;
const LONGEST = 2000;

export class Terminal {
  private readonly lines = new Ring<string>(LINES);
  private line: string[] = [];
  private column = 0;
  /** An escape sequence that is not yet complete. */
  private escape = "";
  /** Changes with every write, so that a reader knows whether to look. */
  version = 0;
  /** Changes when all lines are dropped at once. */
  cleared = 0;

  write(text: string): void {
    this.version += 1;
    for (const character of text) {
      this.put(character);
    }
  }

  clear(): void {
    this.version += 1;
    this.cleared += 1;
    this.lines.clear();
    this.line = [];
    this.column = 0;
  }

  /** Ends the line that is being written, if there is anything in it. */
  beginLine(): void {
    if (this.line.length > 0) {
      this.version += 1;
      this.end();
    }
  }

  get empty(): boolean {
    return this.line.length === 0 && this.lines.all().length === 0;
  }

  /** How many lines were ended so far, those that were dropped included. */
  get ended(): number {
    return this.lines.dropped + this.lines.all().length;
  }

  /** The ended lines that are still kept, and the one that is being written. */
  content(): { ended: readonly string[]; current: string } {
    return { ended: this.lines.all(), current: this.line.join("") };
  }

  private put(character: string): void {
    if (this.escape !== "") {
      this.escape += character;
      this.continueEscape(character);
      return;
    }
    switch (character) {
      case "\x1b":
        this.escape = character;
        break;
      case "\n":
        this.end();
        break;
      case "\r":
        this.column = 0;
        break;
      case "\b":
        this.column = Math.max(0, this.column - 1);
        break;
      case "\t":
        do {
          this.set(" ");
        } while (this.column % 8 !== 0);
        break;
      default:
        if (character >= " ") {
          this.set(character);
        }
    }
  }

  private set(character: string): void {
    this.line[this.column] = character;
    this.column += 1;
    if (this.column >= LONGEST) {
      this.end();
    }
  }

  private end(): void {
    this.lines.push(this.line.join(""));
    this.line = [];
    this.column = 0;
  }

  /** Of the sequences that MicroPython's own line editor sends, two change the text; the others are dropped. */
  private continueEscape(character: string): void {
    const sequence = this.escape;
    if (sequence.length === 2 && character === "[") {
      return;
    }
    const over = sequence.length === 2 || /[@-~]/.test(character) || sequence.length > 32;
    if (!over) {
      return;
    }
    this.escape = "";
    const command = /^\x1b\[(\d*)([DK])$/.exec(sequence);
    if (command?.[2] === "K") {
      this.line.length = Math.min(this.line.length, this.column);
    } else if (command?.[2] === "D") {
      this.column = Math.max(0, this.column - Number(command[1] || 1));
    }
  }
}
