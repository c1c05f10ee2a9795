//! Decides what the page knows of the broker: the messages, packets, topics and QoS handshakes that the tap's events
//! make, each kept up to a bound.

import {
  packetName,
  packetOf,
  type ClientState,
  type Direction,
  type PublishPacket,
  type RetainedMessage,
  type TapEvent,
  type TapPacket,
  type Will,
} from "../protocol";
import { Ring } from "../ring";
import { payloadText } from "./payload";

const MESSAGES = 1000;
const PACKETS = 2000;
const TOPICS = 1000;
const EXCHANGES = 500;
const CONNECTIONS = 500;

export interface Message {
  key: number;
  /** Milliseconds since 1970. */
  t: number;
  topic: string;
  text: string;
  /** Bytes of the payload, and how many of them `text` shows. */
  length: number;
  shown: number;
  qos: number;
  retain: boolean;
  duplicate: boolean;
  client: string;
  /** Published by the broker in the name of a client that is gone. */
  will: boolean;
}

/** The packets of one message with QoS 1 or 2, from PUBLISH to the last acknowledgement. */
export interface Exchange {
  qos: number;
  packetId: number;
  /** Steps done so far, of 2 with QoS 1 and of 4 with QoS 2. */
  step: number;
  begin: number;
  /** When the last step was made. */
  end: number | undefined;
  interrupted: boolean;
}

export interface PacketRow {
  key: number;
  t: number;
  client: string;
  connection: number;
  direction: Direction;
  name: string;
  packet: TapPacket;
  exchange: Exchange | undefined;
  /** Which step of the exchange this packet is, from 1. */
  step: number;
}

export interface TopicState {
  count: number;
  last: Message;
}

export class MqttModel {
  readonly messages = new Ring<Message>(MESSAGES);
  readonly packets = new Ring<PacketRow>(PACKETS);
  /** The topics in the order in which they had their last message. */
  readonly topics = new Map<string, TopicState>();
  clients: ClientState[] = [];
  retained: RetainedMessage[] = [];
  /** The broker is somebody else's: what is published is seen where it hands it out. */
  external = false;
  /** Events that the broker could not hand over. */
  dropped = 0;
  private keys = 0;
  private readonly exchanges = new Map<string, Exchange>();
  /** The wills of connections that the broker accepted, or may yet accept. */
  private readonly wills = new Map<number, Will>();
  /** Between the events' clock and 1970, where they have one of their own. */
  private offset: number | undefined;

  constructor(private readonly onMessage: (message: Message) => void) {}

  take(events: TapEvent[]): void {
    for (const event of events) {
      this.one(event, this.time(event.t));
    }
  }

  clear(): void {
    this.messages.clear();
    this.packets.clear();
    this.topics.clear();
  }

  private time(t: number): number {
    this.offset ??= t > 1e12 ? 0 : Date.now() - t;
    return t + this.offset;
  }

  private one(event: TapEvent, t: number): void {
    const { client_id: client, direction, packet, connection } = event;
    const name = packetName(packet);
    const [exchange, step] = this.exchange(client, direction, packet, t);
    this.packets.push({ key: this.keys++, t, client, connection, direction, name, packet, exchange, step });
    const publish = packetOf(packet, "Publish");
    if (publish && direction === (this.external ? "ToClient" : "ToBroker")) {
      this.message(publish, client, t, false);
    }
    const connect = packetOf(packet, "Connect");
    if (connect?.will) {
      limit(this.wills, CONNECTIONS);
      this.wills.set(connection, connect.will);
    }
    if (packet === "Disconnect" || (packetOf(packet, "ConnAck")?.code ?? 0) !== 0) {
      this.wills.delete(connection);
    }
    if (packetOf(packet, "Closed")) {
      this.closed(connection, client, t);
    }
  }

  /** The broker publishes the will of a connection that ended without DISCONNECT (MQTT 3.1.1, 3.1.2.5). */
  private closed(connection: number, client: string, t: number): void {
    for (const [key, exchange] of this.exchanges) {
      if (key.startsWith(`${client}\n`) && exchange.end === undefined) {
        exchange.interrupted = true;
      }
    }
    const will = this.wills.get(connection);
    this.wills.delete(connection);
    if (will) {
      const publish = { ...will, length: will.payload.length, duplicate: false, packet_id: null };
      this.message(publish, client, t, true);
    }
  }

  private message(publish: PublishPacket, client: string, t: number, will: boolean): void {
    const message: Message = {
      key: this.keys++,
      t,
      topic: publish.topic,
      text: payloadText(publish.payload, publish.length),
      length: publish.length,
      shown: publish.payload.length,
      qos: publish.qos,
      retain: publish.retain,
      duplicate: publish.duplicate,
      client,
      will,
    };
    this.messages.push(message);
    const count = (this.topics.get(message.topic)?.count ?? 0) + 1;
    // Put in again, so that the one at the front is the one that was quiet for longest.
    this.topics.delete(message.topic);
    limit(this.topics, TOPICS);
    this.topics.set(message.topic, { count, last: message });
    this.onMessage(message);
  }

  /** The handshake that a packet belongs to and its step in it, from 1; 0 where there is none. */
  private exchange(
    client: string,
    direction: Direction,
    packet: TapPacket,
    t: number,
  ): [Exchange | undefined, number] {
    const publish = packetOf(packet, "Publish");
    if (publish) {
      if (publish.qos === 0 || publish.packet_id === null) {
        return [undefined, 0];
      }
      const exchange: Exchange = {
        qos: publish.qos,
        packetId: publish.packet_id,
        step: 1,
        begin: t,
        end: undefined,
        interrupted: false,
      };
      limit(this.exchanges, EXCHANGES);
      this.exchanges.set(`${client}\n${direction}\n${publish.packet_id}`, exchange);
      return [exchange, 1];
    }
    // Which step it is, and whether it goes the way that the PUBLISH went.
    const steps: [{ packet_id: number } | undefined, number, boolean][] = [
      [packetOf(packet, "PubAck"), 2, false],
      [packetOf(packet, "PubRec"), 2, false],
      [packetOf(packet, "PubRel"), 3, true],
      [packetOf(packet, "PubComp"), 4, false],
    ];
    for (const [fields, step, same] of steps) {
      if (fields) {
        const origin = same === (direction === "ToBroker") ? "ToBroker" : "ToClient";
        return this.advance(`${client}\n${origin}\n${fields.packet_id}`, step, t);
      }
    }
    return [undefined, 0];
  }

  private advance(key: string, step: number, t: number): [Exchange | undefined, number] {
    const exchange = this.exchanges.get(key);
    if (!exchange) {
      return [undefined, 0];
    }
    exchange.step = Math.max(exchange.step, step);
    exchange.interrupted = false;
    if (step === stepsOf(exchange)) {
      exchange.end = t;
      this.exchanges.delete(key);
    }
    return [exchange, step];
  }
}

/** Packets of a complete handshake. */
export function stepsOf(exchange: Exchange): number {
  return exchange.qos === 1 ? 2 : 4;
}

/** Makes room for one more by dropping what was put in first. */
function limit<Key, Value>(map: Map<Key, Value>, most: number): void {
  while (map.size >= most) {
    const first = map.keys().next();
    if (first.done) {
      return;
    }
    map.delete(first.value);
  }
}
