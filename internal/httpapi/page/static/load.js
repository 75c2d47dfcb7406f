// Reading from the API for as long as a part of the page is shown.
import { useCallback, useEffect, useRef, useState } from "/vendor/hooks.mjs";

const afterFailure = 10_000; // milliseconds

// useLoad reads at once, again when one of deps changes, and again after
// `every` milliseconds (a number, or a function of the data; none: never) while
// the tab is seen. What was read stays when a later reading fails. reload gives
// a promise of the data, undefined when it failed or is out of date.
export function useLoad(read, deps, { every } = {}) {
  const [state, setState] = useState({ data: undefined, problem: null, loading: true });
  const now = useRef({});
  now.current.read = read;
  now.current.every = every;

  const reload = useCallback(async () => {
    const turn = {};
    const mine = now.current;
    mine.turn = turn;
    clearTimeout(mine.timer);
    let wait;
    let data;
    try {
      data = await mine.read();
      if (mine.turn !== turn) return undefined;
      wait = typeof mine.every === "function" ? mine.every(data) : mine.every;
      setState({ data, problem: null, loading: false });
    } catch (problem) {
      if (mine.turn !== turn) return undefined;
      wait = mine.every && afterFailure;
      setState((before) => ({ data: before.data, problem, loading: false }));
    }
    if (wait && document.visibilityState === "visible") mine.timer = setTimeout(reload, wait);
    return data;
  }, []);

  useEffect(() => {
    const mine = now.current;
    setState((before) => ({ ...before, loading: true }));
    reload();
    const seen = () => mine.every && (document.visibilityState === "visible" ? reload() : clearTimeout(mine.timer));
    document.addEventListener("visibilitychange", seen);
    return () => {
      document.removeEventListener("visibilitychange", seen);
      clearTimeout(mine.timer);
      mine.turn = null;
    };
  }, deps);
  return { ...state, reload };
}

// useTick renders again every so many milliseconds, for what says how far off
// something is.
export function useTick(every = 30_000) {
  const [, setTick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setTick((n) => n + 1), every);
    return () => clearInterval(timer);
  }, [every]);
}
