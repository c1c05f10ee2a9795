//! Decides how the messages that passed the broker are listed: the newest first, each with its time, topic, quality of
//! service and what is special about it.

import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";

import { t, timeOf } from "../i18n";
import type { Message } from "./model";

/** Messages that stand in the page at once. */
const SHOWN = 150;

export function messageList(
  all: readonly Message[],
  topic: string | undefined,
  matches: (topic: string) => boolean,
  use: (topic: string) => void,
): TemplateResult {
  const chosen: Message[] = [];
  for (let at = all.length - 1; at >= 0 && chosen.length < SHOWN; at--) {
    const message = all[at];
    if (message && matches(message.topic)) {
      chosen.push(message);
    }
  }
  if (chosen.length === 0) {
    return html`<p class="empty">${topic === undefined ? t("messagesEmpty") : t("messagesEmptyTopic", { topic })}</p>`;
  }
  return html`<ol class="messages" aria-label=${t("messages")} tabindex="0">
    ${repeat(
      chosen,
      (message) => message.key,
      (message) => html`<li class=${message.will ? "message will" : "message"}>
        <div class="meta">
          <time datetime=${new Date(message.t).toISOString()}>${timeOf(message.t)}</time>
          <button type="button" class="topic" title=${t("useTopic")} @click=${() => use(message.topic)}>${message.topic}</button>
          <span class="tag qos">QoS ${message.qos}</span>
          ${message.retain ? html`<span class="tag" title=${t("retainedHint")}>${t("retained")}</span>` : nothing}
          ${message.duplicate ? html`<span class="tag warn">${t("duplicate")}</span>` : nothing}
          ${message.will ? html`<span class="tag warn" title=${t("willHint")}>${t("will")}</span>` : nothing}
        </div>
        <div class="payload">${message.text === "" ? html`<i>${t("emptyPayload")}</i>` : message.text}</div>
        ${message.shown < message.length
          ? html`<div class="hint">${t("truncated", { length: message.length, shown: message.shown })}</div>`
          : nothing}
        ${message.client === "" ? nothing : html`<div class="by">${t("from", { client: message.client })}</div>`}
      </li>`,
    )}
  </ol>`;
}
