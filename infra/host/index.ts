/** What a host is given: its user data and its agent. */
export { type AgentBundle, agentBundle } from './agent-bundle.ts';
export { USER_DATA_LIMIT, type UserDataOptions, userData } from './user-data.ts';
