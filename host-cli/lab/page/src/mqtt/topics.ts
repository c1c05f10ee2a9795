//! Decides how topics are shown: a tree by their levels, with each topic's last message, that can be walked by keyboard.

import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";

import { t } from "../i18n";
import type { MqttModel, TopicState } from "./model";
import { payloadText } from "./payload";

interface Node {
  /** The levels down to this one, joined by "/". */
  path: string;
  level: string;
  state: TopicState | undefined;
  /** The text of the retained message; nothing where there is none. */
  retained: string | undefined;
  children: Map<string, Node>;
  messages: number;
}

export class TopicTree {
  /** The chosen topic, or a level with everything below it; nothing is all. */
  selected: string | undefined;
  private readonly closed = new Set<string>();

  constructor(private readonly changed: () => void) {}

  /** True for messages of the chosen topic and of those below it. */
  matches(topic: string): boolean {
    return this.selected === undefined || topic === this.selected || topic.startsWith(`${this.selected}/`);
  }

  render(model: MqttModel): TemplateResult {
    const root = build(model);
    if (root.children.size === 0) {
      return html`<p class="empty">${t("topicsEmpty")}</p>`;
    }
    return html`<ul class="tree" role="tree" aria-label=${t("topics")} @keydown=${(event: KeyboardEvent) => this.key(event)}>
      <li role="treeitem" aria-selected=${this.selected === undefined} tabindex=${this.selected === undefined ? 0 : -1} data-path=""
        @click=${() => this.choose(undefined)}>
        <div class="row"><span class="twist"></span><span class="level">${t("allTopics")}</span></div>
      </li>
      ${this.children(root, 1)}
    </ul>`;
  }

  private children(node: Node, depth: number): unknown {
    return repeat(
      [...node.children.values()].sort((a, b) => (a.level < b.level ? -1 : 1)),
      (child) => child.path,
      (child) => this.item(child, depth),
    );
  }

  private item(node: Node, depth: number): TemplateResult {
    const open = !this.closed.has(node.path);
    const parent = node.children.size > 0;
    const selected = this.selected === node.path;
    const last = node.state?.last.text ?? node.retained;
    return html`<li
      role="treeitem"
      aria-level=${depth}
      aria-selected=${selected}
      aria-expanded=${parent ? String(open) : nothing}
      tabindex=${selected ? 0 : -1}
      data-path=${node.path}
      @click=${(event: Event) => {
        event.stopPropagation();
        this.choose(node.path);
      }}
    >
      <div class="row" style="--depth: ${depth - 1}">
        <span
          class="twist"
          aria-hidden="true"
          @click=${(event: Event) => {
            if (parent) {
              event.stopPropagation();
              this.toggle(node.path);
            }
          }}
          >${parent ? (open ? "▾" : "▸") : ""}</span
        >
        <span class="level">${node.level === "" ? "\u00a0" : node.level}</span>
        ${last === undefined ? nothing : html`<span class="last">${last === "" ? t("emptyPayload") : last.slice(0, 80)}</span>`}
        ${node.retained !== undefined ? html`<span class="tag" title=${t("retainedHint")}>${t("retained")}</span>` : nothing}
        <span class="count" title=${node.messages === 1 ? t("countOne") : t("count", { count: node.messages })}>${node.messages}</span>
      </div>
      ${parent && open ? html`<ul role="group">${this.children(node, depth + 1)}</ul>` : nothing}
    </li>`;
  }

  private choose(path: string | undefined): void {
    this.selected = path === "" ? undefined : path;
    this.changed();
  }

  private toggle(path: string): void {
    if (!this.closed.delete(path)) {
      this.closed.add(path);
    }
    this.changed();
  }

  /** As the ARIA practices have it for trees. */
  private key(event: KeyboardEvent): void {
    const tree = event.currentTarget as HTMLElement;
    const items = [...tree.querySelectorAll<HTMLElement>("[role=treeitem]")];
    const now = (event.target as HTMLElement).closest<HTMLElement>("[role=treeitem]");
    const at = now ? items.indexOf(now) : -1;
    const path = now?.dataset["path"] ?? "";
    const expanded = now?.getAttribute("aria-expanded");
    let next: HTMLElement | undefined;
    switch (event.key) {
      case "ArrowDown":
        next = items[at + 1];
        break;
      case "ArrowUp":
        next = items[at - 1];
        break;
      case "Home":
        next = items[0];
        break;
      case "End":
        next = items[items.length - 1];
        break;
      case "ArrowRight":
        if (expanded === "false") {
          this.toggle(path);
        } else if (expanded === "true") {
          next = items[at + 1];
        }
        break;
      case "ArrowLeft":
        if (expanded === "true") {
          this.toggle(path);
        } else {
          next = now?.parentElement?.closest<HTMLElement>("[role=treeitem]") ?? undefined;
        }
        break;
      case "Enter":
      case " ":
        this.choose(path);
        break;
      default:
        return;
    }
    event.preventDefault();
    if (next) {
      for (const item of items) {
        item.tabIndex = item === next ? 0 : -1;
      }
      next.focus();
      this.choose(next.dataset["path"]);
    }
  }
}

function build(model: MqttModel): Node {
  const root: Node = { path: "", level: "", state: undefined, retained: undefined, children: new Map(), messages: 0 };
  const retained = new Map(model.retained.map(({ topic, payload, length }) => [topic, payloadText(payload, length)]));
  for (const topic of new Set([...model.topics.keys(), ...retained.keys()])) {
    const state = model.topics.get(topic);
    let node = root;
    topic.split("/").forEach((level, at, levels) => {
      let child = node.children.get(level);
      if (!child) {
        child = {
          path: levels.slice(0, at + 1).join("/"),
          level,
          state: undefined,
          retained: undefined,
          children: new Map(),
          messages: 0,
        };
        node.children.set(level, child);
      }
      child.messages += state?.count ?? 0;
      node = child;
    });
    node.state = state;
    node.retained = retained.get(topic);
  }
  return root;
}
