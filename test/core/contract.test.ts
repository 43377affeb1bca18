import { describe, expect, it } from '@jest/globals';
import { IsOptional, IsString } from 'class-validator';

import {
  ClusterTopology,
  ContractError,
  ControlResult,
  FeedbackEvent,
  HealthComponent,
  HealthStatus,
  NodeStatus,
  parseContract,
} from '../../src/core/index.js';
import { IsContract } from '../../src/core/contract.decorators.js';

const EVENT = { coordinator_id: 'bars-1', queue_size: 0, capacity: 10, level: 'ok', ts: 1760659200.25 };
const NODE = { node_id: { value: 'a' }, role: 'store', health: 'healthy', version: '1', last_seen_ts: 1 };

describe('reading a contract', () => {
  it('fills in defaults and leaves unknown keys out', () => {
    const event = parseContract(FeedbackEvent, { ...EVENT, colour: 'red' });
    expect(JSON.parse(JSON.stringify(event))).toEqual({ ...EVENT, source: 'store' });
    const status = parseContract(HealthStatus, { service: 's', state: 'healthy', version: '1', ts: 1 });
    expect(status.components).toEqual([]);
  });

  it('an optional field that is absent stays absent, and null stays null', () => {
    expect(JSON.stringify(parseContract(ControlResult, { status: 'ok' }))).toBe('{"status":"ok"}');
    expect(JSON.stringify(parseContract(ControlResult, { status: 'ok', detail: null }))).toBe(
      '{"status":"ok","detail":null}',
    );
  });

  it('makes instances of nested contracts', () => {
    const document = { cluster_id: { value: 'c' }, region: { name: 'r' }, nodes: [NODE] };
    expect(parseContract(ClusterTopology, document).nodes[0]).toBeInstanceOf(NodeStatus);
  });

  it('freezes the result at every depth and leaves the document as it was', () => {
    const details = { response_ms: '1' };
    const components = [{ name: 'database', state: 'healthy', details }];
    const status = parseContract(HealthStatus, {
      service: 's',
      state: 'healthy',
      components,
      version: '1',
      ts: 1,
    });
    for (const part of [status, status.components, status.components[0], status.components[0]?.details]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
    expect(() => Object.assign(status, { service: 'other' })).toThrow(TypeError);
    details.response_ms = '2';
    components.push({ name: 'redis', state: 'healthy', details });
    expect(status.components).toHaveLength(1);
    expect(status.components[0]?.details).toEqual({ response_ms: '1' });
  });

  it('reads what a class derived from a contract adds', () => {
    class Reasoned extends FeedbackEvent {
      @IsOptional()
      @IsString()
      readonly reason?: string | null;
    }
    expect(parseContract(Reasoned, { ...EVENT, reason: 'heartbeat' }).reason).toBe('heartbeat');
    expect(() => parseContract(Reasoned, { ...EVENT, ts: '1', reason: 1 })).toThrow(
      'not a Reasoned: reason must be a string; ts must be a number',
    );
  });
});

describe('a nested document that may be null', () => {
  class Envelope {
    @IsOptional()
    @IsContract(() => ControlResult)
    readonly result?: ControlResult | null;
  }

  it('is taken when null or absent, and refused when it is something else', () => {
    expect(parseContract(Envelope, { result: null }).result).toBeNull();
    expect(parseContract(Envelope, {}).result).toBeUndefined();
    for (const result of [false, 'ok', [], [{ status: 'ok' }]]) {
      expect(violationsOf(() => parseContract(Envelope, { result }))).toEqual({
        result: 'must be an object',
      });
    }
  });
});

describe('a document that breaks its contract', () => {
  it('is refused with every field that is wrong, each once', () => {
    const wrong = { coordinator_id: 7, queue_size: 'many', capacity: -1.5, level: 'HARD' };
    expect(violationsOf(() => parseContract(FeedbackEvent, wrong))).toEqual({
      coordinator_id: 'must be a string',
      queue_size: 'must be an integer number',
      capacity: 'must be an integer number',
      level: 'must be one of the following values: ok, soft, hard',
      ts: 'is missing',
    });
  });

  it('is refused with the path of nested fields', () => {
    const document = {
      cluster_id: [],
      region: {},
      nodes: [NODE, { ...NODE, node_id: { value: 1 }, role: 'king' }, null, [NODE]],
    };
    expect(violationsOf(() => parseContract(ClusterTopology, document))).toEqual({
      cluster_id: 'must be an object',
      'region.name': 'is missing',
      'nodes.1.node_id.value': 'must be a string',
      'nodes.1.role': 'must be one of the following values: orchestrator, pipeline, store',
      'nodes.2': 'must be an object',
      'nodes.3': 'must be an object',
    });
    expect(violationsOf(() => parseContract(ClusterTopology, { ...document, nodes: NODE }))).toMatchObject({
      nodes: 'must be a list of objects',
    });
  });

  it.each([null, undefined, 'ok', 1, [], [EVENT]])('is refused when it is no object: %j', (document) => {
    expect(violationsOf(() => parseContract(FeedbackEvent, document))).toEqual({
      '': 'must be a JSON object',
    });
  });

  it('is refused for a null where a default stands for absence only', () => {
    expect(violationsOf(() => parseContract(FeedbackEvent, { ...EVENT, source: null }))).toEqual({
      source: 'must be a string',
    });
  });

  it('is refused, and not an overflow of the stack, when it is nested a million deep', () => {
    const deep: unknown = JSON.parse('['.repeat(1_000_000) + ']'.repeat(1_000_000));
    const document = { cluster_id: deep, region: { name: deep }, nodes: deep, ignored: deep };
    expect(violationsOf(() => parseContract(ClusterTopology, document))).toEqual({
      cluster_id: 'must be an object',
      'region.name': 'must be a string',
      'nodes.0': 'must be an object',
    });
  });

  it('a key of a map may have any name, and only strings as values', () => {
    const details: unknown = JSON.parse('{"__proto__": "a", "constructor": "b", "toString": "c"}');
    const component = parseContract(HealthComponent, { name: 'x', state: 'healthy', details });
    expect(JSON.stringify(component.details)).toBe('{"__proto__":"a","constructor":"b","toString":"c"}');
    for (const text of ['{"__proto__": {}}', '{"a": 1}', '{"a": null}', '["a"]', 'null', '"a"']) {
      const bad = { name: 'x', state: 'healthy', details: JSON.parse(text) as unknown };
      expect(violationsOf(() => parseContract(HealthComponent, bad))).toEqual({
        details: 'must be an object whose values are strings',
      });
    }
  });
});

function violationsOf(read: () => unknown): Record<string, string> {
  try {
    read();
  } catch (error) {
    if (!(error instanceof ContractError)) throw error;
    return Object.fromEntries(error.violations.map(({ field, detail }) => [field, detail]));
  }
  return {};
}
