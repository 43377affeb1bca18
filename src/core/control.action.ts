/** The control actions of Core v1.1.0. */
export const CONTROL_ACTIONS = ['pause', 'resume', 'reload'] as const;

/** What an operator may ask of a service: stop taking work, take it again, or read its settings anew. */
export type ControlAction = (typeof CONTROL_ACTIONS)[number];
