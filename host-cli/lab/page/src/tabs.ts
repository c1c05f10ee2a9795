//! Decides how tabs are walked by keyboard: arrows, Home and End, as the ARIA practices have it.

export function tabKey(event: KeyboardEvent): void {
  const list = event.currentTarget as HTMLElement;
  const tabs = [...list.querySelectorAll<HTMLElement>("[role=tab]")];
  const at = tabs.indexOf(event.target as HTMLElement);
  if (at < 0) {
    return;
  }
  const to = {
    ArrowRight: (at + 1) % tabs.length,
    ArrowLeft: (at + tabs.length - 1) % tabs.length,
    Home: 0,
    End: tabs.length - 1,
  }[event.key];
  const tab = to === undefined ? undefined : tabs[to];
  if (tab) {
    event.preventDefault();
    tab.click();
    tab.focus();
  }
}
