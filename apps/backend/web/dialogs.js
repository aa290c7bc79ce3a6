// SPDX-License-Identifier: MIT
// The two dialogs: a question before something is deleted, and the form of a case. Both stay open
// while the request runs and show its error in place. Never knows which request that is.
import { find, setAttribute, setHidden, setText } from './dom.js';
import { ApiError } from './backend.js';

/** Opens `dialog` until `submit` succeeds (true) or the person leaves (false).
 * @param {HTMLDialogElement} dialog @param {() => Promise<void>} submit
 * @param {(error: ApiError) => void} [onError]
 * @returns {Promise<boolean>} */
function run(dialog, submit, onError) {
  const form = find('form', dialog);
  const error = find('.dialog-error', dialog);
  const button = find('[type=submit]', dialog);
  const over = new AbortController();
  const { signal } = over;
  let done = false;
  setHidden(error, true);

  form.addEventListener(
    'submit',
    async (/** @type {Event} */ event) => {
      event.preventDefault();
      if (button.getAttribute('aria-busy')) return;
      setHidden(error, true);
      setAttribute(button, 'aria-busy', 'true');
      try {
        await submit();
        done = true;
        dialog.close();
      } catch (problem) {
        if (!(problem instanceof ApiError)) throw problem;
        setText(error, problem.message);
        setHidden(error, false);
        onError?.(problem);
      } finally {
        setAttribute(button, 'aria-busy', null);
      }
    },
    { signal },
  );
  find('[data-action=cancel]', dialog).addEventListener('click', () => dialog.close(), { signal });
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener(
      'close',
      () => {
        over.abort();
        resolve(done);
      },
      { signal },
    );
  });
}

/** Asks before something that cannot be undone. `check` must be ticked first, where there is one;
 * `submit` may throw an ApiError with `check` set, to ask for it only then.
 * @param {{title: string, text: string, action: string, check?: string,
 *   submit: (checked: boolean) => Promise<void>}} what */
export function ask({ title, text, action, check, submit }) {
  const dialog = find('#confirm');
  const label = find('#confirm-check');
  const box = find('input', label);
  const button = find('[type=submit]', dialog);
  const over = new AbortController();
  const require = (/** @type {string | undefined} */ words) => {
    setHidden(label, !words);
    setText(find('span', label), words ?? '');
    button.disabled = Boolean(words) && !box.checked;
  };
  box.checked = false;
  box.addEventListener(
    'change',
    () => {
      button.disabled = !box.checked;
    },
    { signal: over.signal },
  );
  setText(find('#confirm-title'), title);
  setText(find('#confirm-text'), text);
  setText(button, action);
  require(check);
  const onError = (/** @type {ApiError} */ error) => {
    if (error.status !== 409 || !label.hidden) return;
    require('Delete its documents as well');
    box.focus();
  };
  return run(dialog, () => submit(box.checked && !label.hidden), onError).finally(() => over.abort());
}

/** The form of a case, empty or with the values of one.
 * @param {{title: string, action: string, values?: {title: string, description: string | null},
 *   submit: (values: {title: string, description: string | null}) => Promise<void>}} what */
export function editCase({ title, action, values, submit }) {
  const dialog = find('#case-form');
  const fields = { title: find('#case-title'), description: find('#case-description') };
  setText(find('#case-form-title'), title);
  setText(find('[type=submit]', dialog), action);
  fields.title.value = values?.title ?? '';
  fields.description.value = values?.description ?? '';
  markFields(fields, {});
  const send = () => {
    markFields(fields, {});
    const text = fields.title.value.trim();
    if (!text) throw new ApiError(422, [{ loc: ['title'], msg: 'a case needs a title' }]);
    return submit({ title: text, description: fields.description.value.trim() || null });
  };
  const answer = run(
    dialog,
    async () => send(),
    (error) => {
      if (markFields(fields, error.fields)) setHidden(find('.dialog-error', dialog), true);
    },
  );
  fields.title.select();
  return answer;
}

/** Shows what is wrong at each field and goes to the first. True when there was one.
 * @param {Record<string, any>} fields @param {Record<string, string>} errors */
function markFields(fields, errors) {
  let first = null;
  for (const [name, input] of Object.entries(fields)) {
    const line = find(`#${input.id}-error`);
    setText(line, errors[name] ?? '');
    setHidden(line, !errors[name]);
    setAttribute(input, 'aria-invalid', errors[name] ? 'true' : null);
    if (errors[name]) first ??= input;
  }
  first?.focus();
  return first !== null;
}
