# What deploy and delete have in common; `source` it. Needs bash 4 and the AWS CLI.
# shellcheck shell=bash disable=SC2034,SC2154 # deploy and delete use, or set, some of it
set -euo pipefail
shopt -s inherit_errexit

fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# The environment's files, the account, and the names of the stacks in the order of deployment.
open_environment() {
  environment=$1
  here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
  [[ -f $here/environments/$environment ]] ||
    fail "there is no environment $environment: write $here/environments/$environment"
  application=$(environment_words | sed -n 's/^Application=//p')
  [[ $application ]] || fail "environments/$environment lacks Application"
  prefix=$application-$environment
  account=$(aws sts get-caller-identity --query Account --output text) ||
    fail "AWS knows no credentials: sign in first, such as by 'aws sso login'"
  region=${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region || true)}}
  [[ $region ]] || fail 'no region: set AWS_REGION'
  mapfile -t stacks < <(sed 's/#.*//; /^[[:space:]]*$/d' "$here/stacks")
}

# The words of the environment's file: parameters, some for one stack alone.
environment_words() {
  sed 's/#.*//' "$here/environments/$environment" | tr -s '[:space:]' '\n' | sed '/^$/d'
}

# The status of a stack, or NONE. Only a stack that does not exist has none: an account that does not
# answer is a failure.
status_of() {
  local said
  if said=$(aws cloudformation describe-stacks --stack-name "$1" --output text \
    --query 'Stacks[0].StackStatus' 2>&1); then
    echo "$said"
  elif [[ $said == *'does not exist'* ]]; then
    echo NONE
  else
    fail "${said#$'\n'}"
  fi
}

# An output of a stack.
output_of() {
  aws cloudformation describe-stacks --stack-name "$1" --output text \
    --query "Stacks[0].Outputs[?OutputKey=='$2'].OutputValue"
}

# Waits until nothing changes a stack, and prints its status.
settled() {
  local status
  status=$(status_of "$1")
  while [[ $status == *_IN_PROGRESS && $status != REVIEW_* ]]; do
    sleep "${POLL_SECONDS:-5}"
    status=$(status_of "$1")
  done
  echo "$status"
}

# The first failure of what a token began, as the stack itself says it.
first_failure() {
  aws cloudformation describe-stack-events --stack-name "$1" --output text --query \
    "StackEvents[?ClientRequestToken=='$2' && contains(ResourceStatus, 'FAILED')]
     .[LogicalResourceId, ResourceStatusReason]" | tail -n 1 | sed $'s/\t/: /'
}

# Asks, unless --yes was given. Without a terminal, the answer is no.
agreed() {
  [[ $yes == yes ]] && return
  local answer=
  read -r -p "$1 [y/N] " answer || true
  [[ $answer == [yY] ]]
}
