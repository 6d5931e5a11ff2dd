/** `tocsin schema`: JSON Schema for editors, of the configuration or of a rules file. */
import { channelKinds } from '../channels/channels.ts';
import { configSchema, ruleFileSchema } from '../config/json-schema.ts';
import { type CliIo, exitCodes, print } from './io.ts';

export function schema(io: CliIo, what: string): number {
  print(io, JSON.stringify(what === 'config' ? configSchema(channelKinds) : ruleFileSchema(), null, 2));
  return exitCodes.done;
}
