import js from '@eslint/js'
import tseslint from 'typescript-eslint'

const PROCESS_ENV = {
  selector: "MemberExpression[object.name='process'][property.name='env']",
  message: 'Only src/config/environment.ts reads the environment.',
}
const PROCESS_EXIT = {
  selector: "CallExpression[callee.object.name='process'][callee.property.name='exit']",
  message: 'Only src/cli ends the process.',
}

export default tseslint.config(
  { ignores: ['dist', '.cache', 'docs', 'node_modules', 'data', 'demo-data', '**/*.cjs'] },
  js.configs.recommended,
  {
    files: ['**/*.{ts,tsx}'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      'no-console': 'error',
      eqeqeq: 'error',
    },
  },
  {
    files: ['src/**/*.{ts,tsx}', 'workers/**/*.ts', 'jobs/**/*.ts'],
    rules: { 'no-restricted-syntax': ['error', PROCESS_ENV, PROCESS_EXIT] },
  },
  { files: ['src/config/environment.ts'], rules: { 'no-restricted-syntax': ['error', PROCESS_EXIT] } },
  { files: ['src/cli/**/*.ts'], rules: { 'no-restricted-syntax': ['error', PROCESS_ENV] } },
  {
    files: ['**/*.mjs', '*.js'],
    languageOptions: { globals: { process: 'readonly', console: 'readonly', URL: 'readonly', setTimeout: 'readonly' } },
  },
)
