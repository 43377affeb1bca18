/** The import directions of docs/architecture.md. @type {import('dependency-cruiser').IConfiguration} */
const only = (folder, allowed) => ({
  name: `${folder}-imports`,
  severity: 'error',
  comment: `src/${folder} may import only: ${allowed.join(', ') || 'nothing of ours'}`,
  from: { path: `^src/${folder}/` },
  to: {
    path: '^(src|ormconfig)',
    pathNot: [`^src/(${[folder, ...allowed].join('|')})/`, ...(folder === 'database' ? ['^ormconfig'] : [])],
  },
});

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'mechanisms-without-nest',
      severity: 'error',
      comment:
        'Mechanisms are plain classes; only wiring (modules, controllers, guards, providers) may know Nest.',
      from: {
        path: '^src/(core|coordinator|rate-control|bars)/',
        pathNot:
          '\\.(module|controller|guard|provider|service|dto|indicator|decorator|filter|tokens|query|decorators|answer|mapping)\\.ts$',
      },
      to: { path: '@nestjs/' },
    },
    only('core', []),
    only('concurrency', []),
    only('config', ['core', 'logging']),
    only('logging', []),
    only('coordinator', ['core', 'config', 'logging', 'metrics', 'http']),
    only('database', ['core', 'concurrency', 'config', 'logging', 'metrics']),
    only('metrics', ['core', 'config']),
    only('rate-control', ['core', 'config', 'logging', 'http']),
    only('bars', [
      'core',
      'concurrency',
      'config',
      'logging',
      'database',
      'coordinator',
      'rate-control',
      'metrics',
      'http',
    ]),
    only('cli', ['config', 'coordinator', 'bars', 'database']),
    only('http', ['core', 'concurrency', 'config', 'logging', 'metrics']),
    only('health', [
      'core',
      'config',
      'logging',
      'database',
      'coordinator',
      'rate-control',
      'bars',
      'metrics',
      'http',
    ]),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { extensions: ['.ts', '.js'] },
  },
};
