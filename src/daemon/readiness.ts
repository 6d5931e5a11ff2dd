/** Whether the daemon does all of its work: what `/readyz` answers. */
import type { Parts } from './parts.ts';

/** What is missing, a short phrase each; empty when all is well. */
export function notReady({ loaded, stateOk, pipeline, config, sender }: Parts): readonly string[] {
  const missing: string[] = [];
  if (loaded.origin !== 'files') {
    missing.push(
      `the configuration was refused, ${loaded.origin === 'partial' ? 'a part of it' : 'the last good one'} runs`,
    );
  } else if (loaded.config === null) {
    missing.push('the last edit of the configuration was refused');
  }
  if (!stateOk) missing.push('the state cannot be written');
  for (const [name, facts] of pipeline.facts)
    if (facts.state === 'failing') missing.push(`source ${name} fails`);
  for (const channel of config.channels) {
    const state = sender.facts(channel.name)?.state;
    if (state === 'parked' || state === 'unusable') missing.push(`channel ${channel.name} is ${state}`);
  }
  return missing;
}
