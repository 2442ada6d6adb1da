import { Document, isScalar } from 'yaml'
import { PERSON, type Guestbook, type Question } from '../model/guestbook.ts'
import { visibleText } from '../model/visible-text.ts'

/** A guestbook as a file of answers to fill in: YAML that `readAnswers` takes, before and after. */
export function questionnaire(guestbook: Guestbook, server: string, of: string): string {
  const { id, name, required, questions } = guestbook
  const person = Object.fromEntries(PERSON.map((entry) => [entry, null]))
  const asked = questions.map((question) => ({ id: question.id, question: question.question, value: null }))
  const content = {
    ...person,
    ...(asked.length > 0 && { servers: { [server]: { guestbooks: { [String(id)]: { answers: asked } } } } }),
  }
  const document = new Document(content)
  document.commentBefore = [
    ` Guestbook ${id}${name === '' ? '' : ` (${visibleText(name)})`} of ${visibleText(of)} on ${server}.`,
    ' Fill it in truthfully, keep it where only you can read it, and give it with --guestbook FILE.',
    ' What is left empty is not answered.',
  ].join('\n')
  for (const entry of PERSON) comment(document.get(entry, true), required.includes(entry) ? 'required' : 'optional')
  questions.forEach((question, at) => {
    comment(document.getIn(['servers', server, 'guestbooks', String(id), 'answers', at, 'value'], true), hint(question))
  })
  return document.toString({ nullStr: '', lineWidth: 0 })
}

function hint({ required, options, multiline }: Question): string {
  const form =
    options.length > 0
      ? `, one of: ${options.map(visibleText).join(' | ')}`
      : multiline
        ? ', may have several lines'
        : ''
  return `${required ? 'required' : 'optional'}${form}`
}

function comment(node: unknown, text: string): void {
  if (isScalar(node)) node.comment = ` ${text}`
}
