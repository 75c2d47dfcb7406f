// A schedule as people choose it, and as the cron expression that the API
// takes. Both ways, without a page: what has no friendly form stays an
// expression of its own.

export const dayNames = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];
const dayNumbers = { MON: "1", TUE: "2", WED: "3", THU: "4", FRI: "5", SAT: "6", SUN: "0" };
export const dayWords = { MON: "Monday", TUE: "Tuesday", WED: "Wednesday", THU: "Thursday", FRI: "Friday", SAT: "Saturday", SUN: "Sunday" };

// What divides an hour or a day evenly: the steps from one full hour to the
// next, and from one midnight to the next, are all alike.
export const minuteSteps = [5, 10, 15, 20, 30];
export const hourSteps = [1, 2, 3, 4, 6, 8, 12];

// A plan is a schedule as people choose it:
//   kind       daily, weekdays, weekly, monthly, often or custom
//   time       "09:00", of daily, weekdays, weekly and monthly
//   days       of weekly: some of dayNames, in their order
//   monthDay   of monthly: "1" to "31", "L" for the last, or such as "MON#1"
//              and "FRIL" for the first Monday and the last Friday
//   every      of often: "15m" or "2h"
//   minute     of often in hours: minutes past the hour
//   onWeekdays of often: not on Saturdays and Sundays
//   cron       of custom
export const newPlan = () => ({
  kind: "weekdays", time: "09:00", days: ["MON"], monthDay: "1", every: "1h", minute: 0, onWeekdays: false, cron: "",
});

const clock = (time) => {
  const [hour, minute] = time.split(":").map(Number);
  return `${minute} ${hour}`;
};

// toCron gives the expression of a plan; "" while something is still missing.
export function toCron(plan) {
  if (plan.kind === "custom") return plan.cron.trim().replace(/\s+/g, " ");
  if (plan.kind === "often") {
    const n = parseInt(plan.every, 10);
    const days = plan.onWeekdays ? "MON-FRI" : "*";
    if (plan.every.endsWith("m")) return `*/${n} * * * ${days}`;
    return `${plan.minute} ${n === 1 ? "*" : `*/${n}`} * * ${days}`;
  }
  if (!/^\d\d:\d\d$/.test(plan.time)) return "";
  switch (plan.kind) {
    case "daily": return `${clock(plan.time)} * * *`;
    case "weekdays": return `${clock(plan.time)} * * MON-FRI`;
    case "weekly": return plan.days.length === 0 ? "" : `${clock(plan.time)} * * ${plan.days.join(",")}`;
    case "monthly": return /^(\d+|L)$/.test(plan.monthDay) ? `${clock(plan.time)} ${plan.monthDay} * *` : `${clock(plan.time)} * * ${plan.monthDay}`;
  }
  return "";
}

// fromCron gives the plan of an expression. It is custom where the expression
// says what cannot be chosen; then nothing of it is changed.
export function fromCron(cron) {
  const custom = { ...newPlan(), kind: "custom", cron };
  const fields = cron.trim().toUpperCase().split(/\s+/);
  if (fields.length !== 5 || fields[3] !== "*") return custom;
  const [minute, hour, monthDay, , weekDay] = fields;
  const days = weekDay === "*" ? null : weekDays(weekDay);
  const onWeekdays = isWeekdays(days);
  const plan = { ...newPlan(), cron };

  const step = /^\*\/(\d+)$/.exec(minute);
  if (step) {
    if (hour !== "*" || monthDay !== "*" || !minuteSteps.includes(Number(step[1])) || (weekDay !== "*" && !onWeekdays)) return custom;
    return { ...plan, kind: "often", every: `${Number(step[1])}m`, onWeekdays };
  }
  const past = number(minute, 59);
  if (past === null) return custom;

  const hours = hour === "*" ? 1 : Number(/^\*\/(\d+)$/.exec(hour)?.[1]);
  if (hourSteps.includes(hours)) {
    if (hour === "*/1" || monthDay !== "*" || (weekDay !== "*" && !onWeekdays)) return custom;
    return { ...plan, kind: "often", every: `${hours}h`, minute: past, onWeekdays };
  }
  const at = number(hour, 23);
  if (at === null) return custom;
  plan.time = `${String(at).padStart(2, "0")}:${String(past).padStart(2, "0")}`;

  if (monthDay !== "*") {
    const day = monthDay === "L" ? "L" : number(monthDay, 31);
    return weekDay === "*" && day ? { ...plan, kind: "monthly", monthDay: String(day) } : custom;
  }
  if (weekDay === "*") return { ...plan, kind: "daily" };
  const counted = /^([A-Z]{3}|\d)(L|#[1-4])$/.exec(weekDay);
  if (counted) {
    const name = dayNames.find((day) => day === counted[1] || dayNumbers[day] === counted[1] || (day === "SUN" && counted[1] === "7"));
    return name ? { ...plan, kind: "monthly", monthDay: name + counted[2] } : custom;
  }
  if (!days) return custom;
  if (days.length === 7) return { ...plan, kind: "daily" };
  return onWeekdays ? { ...plan, kind: "weekdays" } : { ...plan, kind: "weekly", days };
}

// number reads one or two digits; null if they say more than most.
function number(text, most) {
  return /^\d{1,2}$/.test(text) && Number(text) <= most ? Number(text) : null;
}

// weekDays gives the days of a field such as "MON-WED,5", in order; null where
// it says something else.
function weekDays(field) {
  const found = new Set();
  for (const item of field.split(",")) {
    const [from, to, more] = item.split("-").map(weekDay);
    if (from === undefined || more !== undefined || (item.includes("-") && to === undefined)) return null;
    // Sunday is 0 where a week begins and 7 where it ends.
    const last = to === undefined ? from : to === 0 && from > 0 ? 7 : to;
    if (last < from) return null;
    for (let day = from; day <= last; day++) found.add(dayNames[(day + 6) % 7]);
  }
  return dayNames.filter((day) => found.has(day));
}

function weekDay(text) {
  if (/^[0-7]$/.test(text)) return Number(text);
  return text in dayNumbers ? Number(dayNumbers[text]) : undefined;
}

const isWeekdays = (days) => Boolean(days) && days.join() === "MON,TUE,WED,THU,FRI";
