//! Decides how a message's bytes are shown: as text where they are UTF-8, else in hexadecimal; and which numbers are in
//! them.

/** The text of the first bytes of a payload; what is no UTF-8 as hexadecimal numbers. */
export function payloadText(payload: readonly number[], length: number): string {
  const bytes = Uint8Array.from(payload);
  const cut = payload.length < length;
  // A character that was cut with the payload is no sign of another coding.
  for (let drop = 0; drop <= (cut ? Math.min(3, bytes.length) : 0); drop++) {
    try {
      const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, bytes.length - drop));
      if (!/[\x00-\x08\x0e-\x1f]/.test(text)) {
        return text;
      }
      break;
    } catch {
      // Tried again with a byte less, or shown as hexadecimal.
    }
  }
  return payload.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

/** Numbers of one payload that are looked at, and how deep. */
const MOST = 16;
const DEEPEST = 4;

/** The numbers in a payload with their names: "" where it is nothing but a number, "a.b" for `{"a": {"b": 1}}`. */
export function numbersIn(text: string): [string, number][] {
  const trimmed = text.trim();
  if (trimmed === "") {
    return [];
  }
  // Number() also takes what no sensor sends, such as 0x10.
  if (/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(trimmed)) {
    const value = Number(trimmed);
    return Number.isFinite(value) ? [["", value]] : [];
  }
  if (trimmed[0] !== "{" && trimmed[0] !== "[") {
    return [];
  }
  const found: [string, number][] = [];
  try {
    collect(JSON.parse(trimmed), "", 0, found);
  } catch {
    return [];
  }
  return found;
}

function collect(value: unknown, name: string, depth: number, found: [string, number][]): void {
  if (found.length >= MOST) {
    return;
  }
  if (typeof value === "number" && Number.isFinite(value)) {
    found.push([name, value]);
  } else if (typeof value === "object" && value !== null && depth < DEEPEST) {
    for (const [key, inner] of Object.entries(value)) {
      collect(inner, name === "" ? key : `${name}.${key}`, depth + 1, found);
    }
  }
}
