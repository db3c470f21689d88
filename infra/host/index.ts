/** What a host is given: its user data and its agent. */
export { type AgentBundle, agentBundle } from './agent-bundle.ts';
export { HOST_COMMANDS, type HostCommand, type SsmDocument, ssmDocument, ssmDocumentName } from './ssm-document.ts';
export { USER_DATA_LIMIT, type UserDataOptions, userData } from './user-data.ts';
