import { getSchemaPath, type OpenAPIObject } from '@nestjs/swagger';

import { SCOPES_EXTENSION } from './config/access.decorator.js';
import type { ProblemCode } from './http/problem.catalogue.js';
import { ProblemDto } from './http/problem.dto.js';

type PathItem = OpenAPIObject['paths'][string];
type Operation = NonNullable<PathItem['get']>;
type Response = Exclude<NonNullable<Operation['responses'][string]>, { $ref: string }>;

const METHODS = ['get', 'put', 'post', 'delete', 'patch'] as const;
const REQUEST_ID = { $ref: '#/components/headers/X-Request-Id' };

/** Adds to the document what holds for every operation, so that no controller need repeat it. */
export function withCommonParts(document: OpenAPIObject): OpenAPIObject {
  document.components = {
    ...document.components,
    headers: {
      'X-Request-Id': {
        description: 'Finds the request in the log: the one that was sent, or a new one.',
        schema: { type: 'string' },
      },
    },
    responses: {
      OtherRefusal: commonProblem('Any other fault of the request.', 'bad-request'),
      Failure: commonProblem('A fault of the service.', 'internal-error'),
    },
  };
  for (const [path, item] of Object.entries(document.paths)) {
    for (const method of METHODS) {
      const operation = item[method];
      if (operation !== undefined) completeOperation(operation, path);
    }
  }
  return document;
}

function completeOperation(operation: Operation, path: string): void {
  // Without the key a reader cannot tell an operation for anyone from one whose security was forgotten.
  operation.security ??= [];
  nameScopes(operation);
  for (const response of Object.values(operation.responses)) {
    if (response === undefined || '$ref' in response) continue;
    response.headers = { ...response.headers, 'X-Request-Id': REQUEST_ID };
    placeProblems(response, path);
  }
  operation.responses['4XX'] = { $ref: '#/components/responses/OtherRefusal' };
  operation.responses['5XX'] = { $ref: '#/components/responses/Failure' };
}

/**
 * Names the scopes of which a token needs one, as the guard reads them: as roles (OpenAPI 3.1, "Security Requirement
 * Object") for programs, and in words, as Swagger UI does not show roles.
 */
function nameScopes(operation: Operation & { [SCOPES_EXTENSION]?: string[] }): void {
  const { [SCOPES_EXTENSION]: required = [], security = [] } = operation;
  Reflect.deleteProperty(operation, SCOPES_EXTENSION);
  // Public, or a token may be sent and need not be.
  if (security.length === 0 || security.some((one) => Object.keys(one).length === 0)) return;
  const scopes = [...new Set([...required, 'admin'])];
  operation.security = scopes.map((scope) => ({ bearer: [scope] }));
  const sentence = `Needs a token of the scope ${scopes.map((scope) => `\`${scope}\``).join(' or ')}.`;
  operation.description = [operation.description, sentence].filter(Boolean).join('\n\n');
}

/** The examples of a problem are made once for all operations; `instance` is where it happened. */
function placeProblems(response: Response, path: string): void {
  for (const example of Object.values(response.content?.['application/problem+json']?.examples ?? {})) {
    if ('value' in example) example.value = { ...(example.value as object), instance: path };
  }
}

function commonProblem(description: string, code: ProblemCode): Response {
  return {
    description,
    headers: { 'X-Request-Id': REQUEST_ID },
    content: {
      'application/problem+json': {
        schema: { $ref: getSchemaPath(ProblemDto) },
        example: ProblemDto.example(code),
      },
    },
  };
}
