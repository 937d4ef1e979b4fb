'use strict';

const { get } = require('node:http');

get(`http://127.0.0.1:${process.env.PORT || 3001}/health`, ({ statusCode }) => process.exit(statusCode === 200 ? 0 : 1)).on(
  'error',
  (error) => {
    console.error(error.message);
    process.exit(1);
  },
);
