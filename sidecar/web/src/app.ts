import type { GatewayView } from '../../src/gateway/view.ts';
import { element, setText } from '../shared/dom.ts';
import { DesktopScreen } from './desktop-screen.ts';
import { followView, isLeavingByItself } from './feed.ts';
import { FilesPanel } from './files-panel.ts';
import { t } from './language.ts';
import { renderProgress } from './progress-screen.ts';
import { titleOf } from './texts.ts';
import { Toolbar } from './toolbar.ts';
import { translatePage } from './translate.ts';

const TICK_MS = 1000;
const TOUCH_EVERY_MS = 5 * 60_000;

translatePage();
const desktop = new DesktopScreen(
  () => toolbar.takeFocus(),
  () => render(),
);
const files = new FilesPanel(
  () => desktop.focus(),
  () => desktop.isShown,
);
const toolbar = new Toolbar(() => desktop.focus());
let latest: GatewayView | undefined;
let clockOffsetMs = 0;
let isLost = false;

/** A desktop that is open stays: a restart of it is shown over its last picture, not as a step back. */
function showsDesktop(view: GatewayView): boolean {
  if (view.screen === 'desktop') return true;
  return (
    desktop.isShown && view.screen === 'progress' && (view.sync !== 'up' || (view.status?.ready ?? false))
  );
}

function render(): void {
  if (!latest) return;
  const now = Date.now() + clockOffsetMs;
  const withDesktop = showsDesktop(latest);
  document.body.dataset.screen = withDesktop ? 'desktop' : latest.screen;
  element('progress-screen').hidden = withDesktop;
  document.title = titleOf(latest);
  if (withDesktop) {
    desktop.show();
    toolbar.render(latest, now);
    files.render();
    return;
  }
  desktop.hide();
  renderProgress(latest, now);
  if (isLost && !latest.stopping) {
    setText(element('headline'), t().pageLost);
    setText(element('lead'), t().pageLostLead);
    element('spinner').hidden = false;
  }
}

/** Tells the gateway that somebody is there; without such signs for hours the session ends. */
function reportPresence(): void {
  let reportedAt = performance.now();
  const report = () => {
    if (performance.now() - reportedAt < TOUCH_EVERY_MS) return;
    reportedAt = performance.now();
    void fetch('/session/touch', { method: 'POST' }).catch(() => undefined);
  };
  for (const type of ['keydown', 'pointerdown', 'wheel']) {
    window.addEventListener(type, report, { capture: true, passive: true });
  }
}

/** Nothing is lost with the tab, but what closes it is often a mistake: a key that was meant for a terminal. */
function askBeforeClosing(): void {
  let isLoggingOut = false;
  document.addEventListener('submit', () => {
    isLoggingOut = true;
  });
  window.addEventListener('beforeunload', (event) => {
    if (isLoggingOut || isLeavingByItself() || !desktop.isShown || isLost) return;
    if (files.isSending) event.preventDefault();
    const isUnsaved = latest?.status?.save.unsavedChanges === true;
    if (isUnsaved || desktop.hasControlDown) event.preventDefault();
  });
}

followView({
  onView(view) {
    // What this page waited for: it need not wait for its next attempt.
    if (isLost || (view.desktopAnswers && latest?.desktopAnswers === false)) desktop.retryNow();
    latest = view;
    isLost = false;
    clockOffsetMs = Date.parse(view.time) - Date.now();
    render();
    desktop.setAnswering(view.desktopAnswers);
  },
  onLost() {
    isLost = true;
    render();
  },
});
setInterval(render, TICK_MS);
reportPresence();
askBeforeClosing();
