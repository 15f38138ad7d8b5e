import { element } from '../../../sidecar/web/shared/dom.ts';
import type { InstanceList } from '../../src/view-types.ts';

/** The list as it changes, for as long as the page is open. The browser comes back by itself after a break. */
export function watchList(isAll: boolean, onList: (list: InstanceList) => void): void {
  const source = new EventSource(`/api/events${isAll ? '?all=1' : ''}`);
  const lost = element('lost');
  source.addEventListener('open', () => {
    lost.hidden = true;
  });
  source.addEventListener('error', () => {
    lost.hidden = false;
  });
  source.addEventListener('signed-out', () => location.reload());
  source.addEventListener('instances', ({ data }: MessageEvent<string>) =>
    onList(JSON.parse(data) as InstanceList),
  );
  addEventListener('pagehide', () => source.close());
}
