import { spawnSync } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { describe, expect, it, onTestFinished } from 'vitest';
import { KernelDrops } from '../../src/sources/kernel-drops.ts';

async function bound(): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4096 });
  onTestFinished(() => void socket.close());
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return socket;
}

describe('what the kernel threw away', () => {
  it('S7 is counted once, whoever of this machine is connected to the address', async () => {
    const socket = await bound();
    const { address, port } = socket.address();
    const drops = new KernelDrops(address, port);
    expect(await drops.since()).toBe(0);
    // Nobody reads while another process sends.
    const sender = `const s=require('dgram').createSocket('udp4');let n=0;
      s.connect(${port},'127.0.0.1',function go(){ for(let i=0;i<50&&n<500;i++,n++) s.send('x'); n<500?setImmediate(go):setTimeout(()=>s.close(),50) })`;
    expect(spawnSync(process.execPath, ['-e', sender]).status).toBe(0);
    expect(await drops.since()).toBeGreaterThan(100);
    // Rows of the table are in the order of the ports' hashes: some of these stand before ours.
    const senders = await Promise.all(Array.from({ length: 64 }, bound));
    for (const one of senders) await new Promise<void>((resolve) => one.connect(port, address, resolve));
    expect(await drops.since()).toBe(0);
    for (const one of senders) one.disconnect();
    expect(await drops.since()).toBe(0);
  });
});
