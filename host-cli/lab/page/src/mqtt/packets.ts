//! Decides how packets are listed: who sent what to whom, in the order in which the broker saw it, and how far the
//! handshake of a message with QoS 1 or 2 has come.

import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";

import { t, timeOf } from "../i18n";
import { packetOf, type CloseReason } from "../protocol";
import { payloadText } from "./payload";
import { stepsOf, type Exchange, type PacketRow } from "./model";

const SHOWN = 200;

/** What the standard calls a packet; the tap's other events keep their names. */
const NAMES: Record<string, string> = { Malformed: "✕", Opened: "TCP +", Closed: "TCP −" };

export function packetList(
  all: readonly PacketRow[],
  client: string | undefined,
  hidePings: boolean,
): TemplateResult {
  const chosen: PacketRow[] = [];
  for (let at = all.length - 1; at >= 0 && chosen.length < SHOWN; at--) {
    const row = all[at];
    if (row && (client === undefined || row.client === client) && !(hidePings && row.name.startsWith("Ping"))) {
      chosen.push(row);
    }
  }
  if (chosen.length === 0) {
    return html`<p class="empty">${t("packetsEmpty")}</p>`;
  }
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${t("packets")}>
    <table class="packets">
      <thead class="visually-hidden">
        <tr>
          <th scope="col">${t("time")}</th>
          <th scope="col">${t("client")}</th>
          <th scope="col">${t("packets")}</th>
        </tr>
      </thead>
      <tbody>
        ${repeat(chosen, (row) => row.key, packetRow)}
      </tbody>
    </table>
  </div>`;
}

function packetRow(row: PacketRow): TemplateResult {
  const up = row.direction === "ToBroker";
  const connection = row.name === "Opened" || row.name === "Closed";
  // Until its CONNECT came, a connection has no name but its number.
  const client = row.client || `#${row.connection}`;
  return html`<tr class="${connection ? "connection" : up ? "up" : "down"}">
    <td class="time"><time>${timeOf(row.t)}</time></td>
    <td class="who" title=${t(up ? "toBroker" : "toClient", { client })}>
      <span class="arrow" role="img" aria-label=${t(up ? "toBroker" : "toClient", { client })}
        >${connection ? "·" : up ? "→" : "←"}</span
      ><span class="client">${client}</span>
    </td>
    <td>
      <strong class="packet-name">${NAMES[row.name] ?? row.name.toUpperCase()}</strong>
      ${row.exchange ? handshake(row.exchange, row.step) : nothing}
      <span class="detail">${detail(row)}</span>
    </td>
  </tr>`;
}

/** A dot for each packet of the handshake: those that were sent are filled, this one is marked. */
function handshake(exchange: Exchange, step: number): TemplateResult {
  const steps = stepsOf(exchange);
  const text = t("step", { qos: exchange.qos, id: exchange.packetId, step, steps });
  return html`<span class="handshake" role="img" aria-label=${text} title=${text}>
      ${Array.from(
        { length: steps },
        (_, at) => html`<i class="${at + 1 === step ? "this" : at < exchange.step ? "done" : ""}"></i>`,
      )} </span
    >${step === 1 ? html`<span class="state ${exchange.end === undefined ? "open" : ""}">${outcome(exchange)}</span>` : nothing}`;
}

function outcome(exchange: Exchange): string {
  if (exchange.end !== undefined) {
    const ms = Math.round(exchange.end - exchange.begin);
    return ms < 1 ? t("completeAtOnce") : t("completeIn", { ms });
  }
  return t(exchange.interrupted ? "interrupted" : "waiting");
}

function detail({ packet }: PacketRow): string {
  const publish = packetOf(packet, "Publish");
  if (publish) {
    const text = payloadText(publish.payload, publish.length);
    const marks = [
      publish.retain ? t("retained") : "",
      publish.duplicate ? t("duplicate") : "",
      publish.packet_id === null ? "" : t("packetId", { id: publish.packet_id }),
    ];
    return [`${publish.topic} = ${text.length > 60 ? `${text.slice(0, 60)}…` : text}`, ...marks.filter(Boolean)].join(" · ");
  }
  const connect = packetOf(packet, "Connect");
  if (connect) {
    return [
      t(connect.clean_session ? "cleanSession" : "keptSession"),
      connect.keep_alive > 0 ? t("keepAlive", { seconds: connect.keep_alive }) : "",
      connect.user ? t("user", { user: connect.user }) : "",
      connect.will ? t("withWill", { topic: connect.will.topic }) : "",
    ]
      .filter(Boolean)
      .join(" · ");
  }
  const accepted = packetOf(packet, "ConnAck");
  if (accepted) {
    const code = accepted.code === 0 ? t("accepted") : t("refused", { code: accepted.code });
    return accepted.session_present ? `${code} · ${t("sessionPresent")}` : code;
  }
  const subscribe = packetOf(packet, "Subscribe");
  if (subscribe) {
    return subscribe.filters.map(([filter, qos]) => `${filter} (QoS ${qos})`).join(", ");
  }
  const granted = packetOf(packet, "SubAck");
  if (granted) {
    return granted.codes.map((code) => (code === 0x80 ? t("denied") : t("granted", { codes: `QoS ${code}` }))).join(", ");
  }
  const unsubscribe = packetOf(packet, "Unsubscribe");
  if (unsubscribe) {
    return unsubscribe.filters.join(", ");
  }
  const closed = packetOf(packet, "Closed");
  if (closed) {
    return reason(closed.reason);
  }
  const opened = packetOf(packet, "Opened");
  if (opened) {
    return t("opened", { peer: opened.peer });
  }
  const lost = packetOf(packet, "Dropped") ?? packetOf(packet, "NotRetained");
  if (lost) {
    return `${lost.topic} · ${t("bytes", { length: lost.length })}`;
  }
  const malformed = packetOf(packet, "Malformed");
  if (malformed) {
    return malformed.reason;
  }
  const id = (typeof packet === "object" ? Object.values(packet)[0] : undefined) as { packet_id?: number } | undefined;
  return id?.packet_id === undefined ? "" : t("packetId", { id: id.packet_id });
}

function reason(why: CloseReason): string {
  if (typeof why === "string") {
    return t(`closed${why}`);
  }
  if ("KeepAlive" in why) {
    return t("closedKeepAlive", { seconds: why.KeepAlive });
  }
  return "Refused" in why ? t("closedRefused", { code: why.Refused }) : t("closedProtocol", { reason: why.Protocol });
}
