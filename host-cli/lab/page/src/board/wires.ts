//! Decides how wires run: as the diagram says in Wokwi's words, or else in a curve from pin to pin.

export interface Point {
  x: number;
  y: number;
}

const RADIUS = 5;

/** The `d` of an SVG path. Instructions are `h` and `v` with pixels; those behind `*` are walked from the far end. */
export function wirePath(from: Point, to: Point, instructions: readonly string[] = []): string {
  const star = instructions.indexOf("*");
  const near = star < 0 ? instructions : instructions.slice(0, star);
  const far = star < 0 ? [] : instructions.slice(star + 1);
  if (near.length === 0 && far.length === 0) {
    return curve(from, to);
  }
  const begin = walk(from, near);
  const end = walk(to, [...far].reverse()).reverse();
  const points = [...begin, ...end];
  const corner = begin[begin.length - 1];
  const next = end[0];
  if (corner && next && corner.x !== next.x && corner.y !== next.y) {
    const vertical = near[near.length - 1]?.startsWith("v") ?? false;
    points.splice(begin.length, 0, vertical ? { x: next.x, y: corner.y } : { x: corner.x, y: next.y });
  }
  return rounded(points);
}

function walk(from: Point, instructions: readonly string[]): Point[] {
  const points = [from];
  let { x, y } = from;
  for (const instruction of instructions) {
    const distance = Number(instruction.slice(1));
    if (!Number.isFinite(distance)) {
      continue;
    }
    if (instruction.startsWith("h")) {
      x += distance;
    } else if (instruction.startsWith("v")) {
      y += distance;
    }
    points.push({ x, y });
  }
  return points;
}

function rounded(points: Point[]): string {
  const distinct = points.filter((point, at) => {
    const before = points[at - 1];
    return !before || before.x !== point.x || before.y !== point.y;
  });
  return distinct
    .map((point, at) => {
      const before = distinct[at - 1];
      const after = distinct[at + 1];
      if (!before) {
        return `M${point.x} ${point.y}`;
      }
      if (!after) {
        return `L${point.x} ${point.y}`;
      }
      const a = towards(point, before);
      const b = towards(point, after);
      return `L${a.x} ${a.y}Q${point.x} ${point.y} ${b.x} ${b.y}`;
    })
    .join("");
}

/** The point before a corner where its rounding begins. */
function towards(corner: Point, other: Point): Point {
  const length = Math.hypot(other.x - corner.x, other.y - corner.y);
  const part = Math.min(RADIUS, length / 2) / (length || 1);
  return { x: corner.x + (other.x - corner.x) * part, y: corner.y + (other.y - corner.y) * part };
}

function curve(from: Point, to: Point): string {
  const sag = Math.min(60, Math.hypot(to.x - from.x, to.y - from.y) / 3);
  const way = to.x >= from.x ? sag : -sag;
  return `M${from.x} ${from.y}C${from.x + way} ${from.y} ${to.x - way} ${to.y} ${to.x} ${to.y}`;
}
