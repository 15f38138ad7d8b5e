import type { Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { desktops, missing, ofTheBrowser } from './fixture.ts';

/** Twenty-five letters and more of eight scripts, none of them on the layout that the display starts with. */
const SCRIPTS: Record<string, string> = {
  Latin: 'áčďéěíňóřšťúůýžÁČĎÉĚÍŇÓŘŠŤÚŮÝŽąćęłńśźżĄĆĘŁŃŚŹŻäöüßÄÖÜàâçèêëîïôùûœ',
  Greek: 'αβγδεζηθικλμνξοπρστυφχψωάέήΑΒΓΔΘΛΞΠΣΦΨΩ',
  Cyrillic: 'абвгдежзийклмнопрстуфхцчшщъыьэюяґєіїАБВГДЖЗИЙЛПФЦЧШЩЪЫЭЮЯ',
  Armenian: 'աբգդեզէըթժիլխծկհձղճմյնշոչ',
  Hebrew: 'אבגדהוזחטיךכלםמןנסעףפץצקרשת',
  Arabic: 'ابتثجحخدذرزسشصضطظعغفقكلمنهوي',
  Hiragana: 'あいうえおかきくけこさしすせそたちつてとなにぬねの',
  Thai: 'กขคงจฉชซฌญฎฏฐฑฒณดตถทธนบปผ',
};

/** As a keyboard of that layout does it; `keyboard.type` would put letters in without keys that the US layout lacks. */
async function typeLetters(page: Page, letters: string): Promise<void> {
  for (const letter of letters) {
    await page.evaluate(`for (const type of ['keydown', 'keyup']) {
      const event = { key: ${JSON.stringify(letter)}, code: 'KeyA', keyCode: 65, bubbles: true, cancelable: true };
      document.activeElement.dispatchEvent(new KeyboardEvent(type, event));
    }`);
    await page.waitForTimeout(30);
  }
}

describe.skipIf(missing)('typing in the desktop', ofTheBrowser, () => {
  const open = desktops();

  test('more than 200 letters of eight scripts arrive', async () => {
    const { page, received, startTerminal } = await open();
    await startTerminal();
    const scripts = Object.values(SCRIPTS);
    for (const letters of scripts) {
      await typeLetters(page, letters);
      await page.keyboard.press('Enter');
    }
    await expect.poll(received).toBe(`${scripts.join('\n')}\n`);
    expect(scripts.join('').length).toBeGreaterThan(200);
  });

  test('letters of Czech, Polish and German arrive in a window like those of Scipion', async () => {
    const { page, received, startReceiver } = await open();
    await startReceiver();
    const letters = SCRIPTS.Latin?.slice(0, -14) ?? '';
    await typeLetters(page, letters);
    await expect.poll(received).toBe(letters);
  });

  test('text of an input method, of dead keys and of the clipboard arrives', async () => {
    const { page, received, startReceiver, mistakes } = await open();
    await startReceiver();
    const session = await page.context().newCDPSession(page);
    await session.send('Input.imeSetComposition', { text: 'nihao', selectionStart: 5, selectionEnd: 5 });
    await session.send('Input.insertText', { text: '你好' });
    await expect.poll(received).toBe('你好');
    // A dead key composes in the field, too, or comes as text without a key, as of a panel of symbols.
    await session.send('Input.insertText', { text: 'ǘ' });
    await expect.poll(received).toBe('你好ǘ');

    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.evaluate(`navigator.clipboard.writeText(' řádek 1\\nřádek 2')`);
    await page.keyboard.press('Control+v');
    await expect.poll(received).toBe('你好ǘ řádek 1\nřádek 2');
    await page.keyboard.type('!');
    await expect.poll(received).toBe('你好ǘ řádek 1\nřádek 2!');
    expect(mistakes).toEqual([]);
  });

  test('a text of more different characters than there are key codes arrives', async () => {
    const { page, received, startTerminal } = await open();
    await startTerminal();
    const session = await page.context().newCDPSession(page);
    let text = '';
    for (let part = 0; part < 12; part += 1) {
      const characters = Array.from({ length: 40 }, (_, i) => String.fromCodePoint(0x4e00 + part * 40 + i));
      text += `${characters.join('')}\n`;
      await session.send('Input.insertText', { text: characters.join('') });
      await page.keyboard.press('Enter');
      await expect.poll(received).toBe(text);
    }
  });
});
