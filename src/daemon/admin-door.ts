/** The admin pages of a running daemon: opened, moved and closed as the configuration says. The code for them is loaded when it is needed. */
import type { AdminConfig, AdminView } from '../admin/admin.ts';

export class AdminDoor {
  readonly #view: Omit<AdminView, 'token'>;
  #config: AdminConfig | null = null;
  #open: { readonly listen: string; close(): Promise<void> } | null = null;

  constructor(view: Omit<AdminView, 'token'>) {
    this.#view = view;
  }

  /** Listens where it is said; an address that did not change stays open. Throws E_LISTEN, and the old address stays then. */
  async use(config: AdminConfig | null): Promise<void> {
    if (config !== null && config.listen !== this.#open?.listen) {
      const { listenAdmin } = await import('../admin/admin.ts');
      const opened = await listenAdmin(config.listen, {
        ...this.#view,
        token: () => this.#config?.token ?? null,
      });
      await this.close();
      this.#open = { listen: config.listen, close: opened.close };
    } else if (config === null) {
      await this.close();
    }
    this.#config = config;
  }

  async close(): Promise<void> {
    await this.#open?.close();
    this.#open = null;
  }
}
