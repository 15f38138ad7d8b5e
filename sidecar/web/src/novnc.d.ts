/** The part of noVNC 1.7 that the page uses. */
declare module '@novnc/novnc' {
  interface RfbEventMap {
    connect: CustomEvent<Record<string, never>>;
    disconnect: CustomEvent<{ clean: boolean }>;
    clipboard: CustomEvent<{ text: string }>;
    securityfailure: CustomEvent<{ status: number; reason?: string }>;
  }

  export default class RFB {
    constructor(target: HTMLElement, url: string, options?: { shared?: boolean; wsProtocols?: string[] });
    background: string;
    resizeSession: boolean;
    scaleViewport: boolean;
    viewOnly: boolean;
    clipViewport: boolean;
    focusOnClick: boolean;
    qualityLevel: number;
    compressionLevel: number;
    focus(options?: FocusOptions): void;
    blur(): void;
    disconnect(): void;
    /** `code` is a `KeyboardEvent.code`, null for none; without `down` the key is pressed and let go. */
    sendKey(keysym: number, code: string | null, down?: boolean): void;
    clipboardPasteFrom(text: string): void;
    addEventListener<K extends keyof RfbEventMap>(type: K, listener: (event: RfbEventMap[K]) => void): void;
  }
}
