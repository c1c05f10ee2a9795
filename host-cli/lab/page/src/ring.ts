//! Decides how the page's memory stays bounded: the last so many values of a series, the older ones dropped.

export class Ring<T> {
  private values: T[] = [];
  /** Values that were dropped so far. */
  dropped = 0;

  constructor(readonly capacity: number) {}

  push(value: T): void {
    this.values.push(value);
    // Dropping in portions costs one copy per `slack` values instead of one per value.
    const slack = Math.max(16, this.capacity >> 3);
    if (this.values.length > this.capacity + slack) {
      this.dropped += this.values.length - this.capacity;
      this.values = this.values.slice(-this.capacity);
    }
  }

  clear(): void {
    this.values = [];
  }

  /** The oldest first. */
  all(): readonly T[] {
    return this.values.length > this.capacity ? this.values.slice(-this.capacity) : this.values;
  }

  last(): T | undefined {
    return this.values[this.values.length - 1];
  }
}
